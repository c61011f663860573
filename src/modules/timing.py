"""Which kernels are the fastest here: measured once for layers and recurrences of a run's size."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor, nn

from machine.cache import read_json, write_json
from modules.gru import GRU
from modules.kernels import Kernels, layers_made_with
from modules.layers import Dense
from modules.products import OneDNNProducts

FILE = "fastest.json"
ENOUGH_ROWS = 2048  # in all; more take longer and decide nothing
LARGEST_SLOT = 512  # rows
TRIALS = 7  # of which the least counts: others disturb
PATIENCE = 1.0  # seconds, for a machine on which threads wait for each other
MARGIN = 0.03  # by which a later candidate must be faster: what is plainer wins where it is even


class Shape(NamedTuple):
    """Of what a run learns from."""

    width: int  # of its layers
    rows: int  # of a slot: agents of all episodes
    slots: int
    recurrent: bool  # whether it has a GRU

    def cut(self) -> Shape:
        """So much of it as decides which kernels are the fastest."""
        rows = min(self.rows, LARGEST_SLOT)
        return self._replace(rows=rows, slots=max(1, min(self.slots, ENOUGH_ROWS // rows)))

    def key(self) -> str:
        """By which it is found again, with all else that it depends on."""
        memory = "GRU" if self.recurrent else "no GRU"
        threads = torch.get_num_threads()
        return (
            f"torch {torch.__version__}, {threads} threads, width {self.width}, {self.slots} slots "
            f"of {self.rows} rows, {memory}"
        )


def fastest(candidates: Sequence[Kernels], shape: Shape, folder: Path | None) -> Kernels:
    """Of the candidates, of which the first is the plainest; remembered in `folder`."""
    shape = shape.cut()
    names = {str(each): each for each in candidates}
    known = read_json(folder, FILE)
    entry = known.get(shape.key())
    if isinstance(entry, dict) and set(names) == set(entry) and all(map(_is_time, entry.values())):
        return names[best_of(entry)]
    found = dict(zip(names, milliseconds(candidates, shape), strict=True))
    write_json(folder, FILE, {**read_json(folder, FILE), shape.key(): found})
    return names[best_of(found)]


def best_of(times: dict[str, float]) -> str:
    """The name of the first one that no later one beats by more than the margin."""
    best, *others = times
    for name in others:
        if times[name] < (1 - MARGIN) * times[best]:
            best = name
    return best


def milliseconds(candidates: Sequence[Kernels], shape: Shape) -> list[float]:
    """For a pass of each and its gradients; they take turns.

    Of this thread's time where it does all the work. The process has a clock, too, but where its
    time is limited that one moves in steps of milliseconds.
    """
    clock = time.thread_time if torch.get_num_threads() == 1 else time.perf_counter
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        passes = [prepared(kernels, shape) for kernels in candidates]
    for each in passes:
        each()  # libraries and caches are cold
    least = [float("inf")] * len(passes)
    end = time.perf_counter() + PATIENCE
    for _ in range(TRIALS):
        for i, each in enumerate(passes):
            began = clock()
            each()
            least[i] = min(least[i], clock() - began)
        if time.perf_counter() > end:
            break
    return [round(1000 * seconds, 3) for seconds in least]


def prepared(kernels: Kernels, shape: Shape) -> Callable[[], object]:
    """A pass through two layers, with a GRU between if there is one, and its gradients."""
    rows = shape.rows * shape.slots
    with layers_made_with(kernels):
        first, second = Dense(shape.width, shape.width), Dense(shape.width, shape.width)
        gru = GRU(shape.width, shape.width) if shape.recurrent else None
    used = [layer for layer in (first, gru, second) if layer is not None]
    weights = list(nn.ModuleList(used).parameters())
    unit = OneDNNProducts.ROUND
    x = torch.randn(1, -(-rows // unit) * unit, 1, shape.width)  # filled up, as a minibatch is

    def forward_and_back() -> Sequence[Tensor]:
        y = first(x).relu()
        if gru is not None:
            y = gru.unroll(y, running=[shape.rows] * shape.slots)
        return torch.autograd.grad(second(y).square().sum(), weights)

    return forward_and_back


def _is_time(value: object) -> bool:
    return isinstance(value, float) and value > 0
