"""What an update cannot go below on this machine, beside what it takes.

    python benchmarks/floor.py --maps 3m MMM2

Counts the multiplications of an update's matrix products, the bytes its operations read and write,
and the operations, and divides each by what this machine reaches alone: a product that fits its
caches, a copy that does not, an addition of two numbers. On one thread none of the three can hide
behind another, but for bytes that are still in a cache.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable
from typing import Any, NamedTuple

from problems import MUJOCO, ROOT, SMAC, settings_of

sys.path.insert(0, str(ROOT / "src"))

import torch
from batches import make_batch
from rates import product_rates, seconds_of
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from updates import learner_of, our_learner

from machine.allocation import keep_freed_memory

HEAD = "| update | products | bytes | operations | floor | takes |\n|---|---|---|---|---|---|\n"
ONEDNN_PRODUCT = "_linear_pointwise"
PRODUCTS = ("mm", "addmm", "addmm_", "bmm", "baddbmm")
VIEWS = (
    *("view", "_unsafe_view", "t", "transpose", "permute", "expand", "slice", "select", "split"),
    *("split_with_sizes", "unbind", "unsqueeze", "squeeze", "detach", "alias", "as_strided"),
    *("unflatten", "empty", "new_empty", "empty_like"),
)
COPIED = 1 << 26  # numbers: beyond any cache


class Work(NamedTuple):
    """Of one update; or what this machine does of each in a second."""

    flops: float
    moved: float  # bytes
    operations: float


def speed_of_this_machine() -> Work:
    """Each by itself, at its best."""
    source, number = torch.randn(COPIED), torch.ones(1)
    target = torch.empty_like(source)
    return Work(
        flops=max(product_rates().values()),
        moved=2 * 4 * COPIED / seconds_of(lambda: target.copy_(source), 1),
        operations=1 / seconds_of(lambda: number + number, 10_000),
    )


class Count(TorchDispatchMode):
    """Of every operation that runs meanwhile, also those of backward passes."""

    def __init__(self) -> None:
        super().__init__()
        self.flops = self.moved = self.operations = 0

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        result = func(*args, **(kwargs or {}))
        name = func.__name__.split(".")[0]
        self.operations += 1
        if name in PRODUCTS:
            left, right = tensors(args)[-2:]
            self.flops += 2 * left.numel() * right.shape[-1]
        elif name == ONEDNN_PRODUCT:
            left, right = tensors(args)[:2]
            self.flops += 2 * left.numel() * len(right)
        if name not in VIEWS:
            read = () if name.startswith("new_") or name.endswith("_like") else args
            touched = tensors([*read, result])
            self.moved += sum(each.numel() * each.element_size() for each in touched)
        return result

    def work(self) -> Work:
        return Work(self.flops, self.moved, self.operations)


def tensors(values: Iterable[Any]) -> list[Tensor]:
    """All of them, also those in lists."""
    flat = [v for each in values for v in (each if isinstance(each, list | tuple) else [each])]
    return [value for value in flat if isinstance(value, Tensor)]


def as_line(name: str, k_level: int, machine: Work) -> str:
    """One row: an update is timed some times, then counted."""
    torch.manual_seed(0)
    args = settings_of(name, "kfacmac_learner", k_level)
    batch = make_batch(args)
    learner, counted = our_learner(args, batch), learner_of(args, batch)
    for each in (learner, counted):
        each.train(batch, 1000, 1000)
    takes = seconds_of(lambda: learner.train(batch, 1000, 1000), 1)
    with Count() as count:  # which sees torch's operations, and not into what is compiled
        counted.train(batch, 1000, 1000)
    work = count.work()
    flops, moved, operations = (
        1000 * amount / speed for amount, speed in zip(work, machine, strict=True)
    )
    cells = (
        f"{name}, K={k_level}",
        f"{work.flops / 1e9:.2f} GFLOP: {flops:.1f}",
        f"{work.moved / 1e9:.2f} GB: {moved:.1f}",
        f"{work.operations:,}: {operations:.1f}",
        f"{flops + moved + operations:.1f}",
        f"{1000 * takes:.1f}",
    )
    return f"| {' | '.join(cells)} |\n"


def main() -> None:
    assert __doc__ is not None
    shapes = (*SMAC, *MUJOCO)
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--maps", nargs="+", choices=shapes, default=shapes)
    parser.add_argument("--levels", nargs="+", type=int, default=(1, 2))
    options = parser.parse_args()
    if min(options.levels) < 1:
        parser.error("--levels begin with 1, the base algorithm")
    torch.set_num_threads(1)
    keep_freed_memory()  # as a run does
    machine = speed_of_this_machine()
    sys.stdout.write(
        f"This machine alone: {machine.flops / 1e9:.0f} GFLOP/s, {machine.moved / 1e9:.0f} GB/s, "
        f"{machine.operations / 1e6:.2f} million operations/s. Milliseconds below.\n\n{HEAD}"
    )
    for name in options.maps:
        for k_level in options.levels:
            sys.stdout.write(as_line(name, k_level, machine))
            sys.stdout.flush()


if __name__ == "__main__":
    main()
