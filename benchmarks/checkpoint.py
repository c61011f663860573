"""How long a run stands still for a checkpoint of its replay, and what it takes beside the run.

    python benchmarks/checkpoint.py [--maps 27m_vs_30m] [--length 0.4] [--rounds 3] [--folder /tmp]

A full replay buffer of made-up battles (those of replay_memory.py), none of which is on disk yet.
A loop inserts an episode and draws a sample of 32 again and again, and has the replay saved, in
turn: at once, when it waits for the end, and beside the loop, as a run does. Every turn writes
all of it into a folder of its own. Seconds are those of a clock.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from itertools import cycle
from pathlib import Path
from types import SimpleNamespace
from typing import Any, NamedTuple

import torch
from replay_memory import CAPACITY, MAPS, Map, episodes, preprocess, scheme
from seen import seen

from components.episode_buffer import ReplayBuffer
from components.replay.memory import available_bytes, human
from records.saving import Saver

DIFFERENT = 40  # battles, which fill the buffer in turn
ALONE = 20  # passes of the loop
WEIGHTS = 1_000_000  # in the state, beside the replay
HEAD = (
    "| map | replay | written | at once: stands still | beside: stands still | until it is there "
    "| a pass alone | a pass meanwhile |\n|---|---|---|---|---|---|---|---|\n"
)
SETTINGS = {"save_model": False, "save_model_interval": 1, "buffer_fill": 1.0}


class Turn(NamedTuple):
    """Seconds."""

    longest: float  # pass of the loop, saving included
    written: float  # until the checkpoint was there
    usual: float  # pass while it was being written
    n_bytes: int


class Loop:
    """What a run does with its replay."""

    def __init__(self, m: Map, length: float, capacity: int) -> None:
        self.buffer = ReplayBuffer(
            scheme(m), {"agents": m.allies}, capacity, m.limit + 1, preprocess(m)
        )
        self._battles = cycle(list(episodes(m, DIFFERENT, length)))
        for _ in range(capacity):
            self.buffer.insert_episode_batch(next(self._battles))

    def go_round(self) -> float:
        """Once; returns its seconds."""
        began = time.perf_counter()
        self.buffer.insert_episode_batch(next(self._battles))
        self.buffer.sample(32)
        return time.perf_counter() - began

    def saver(self, folder: Path) -> Saver:
        weights = {"weights": torch.zeros(WEIGHTS)}
        learner: Any = SimpleNamespace(save_models=lambda path: None)
        args = SimpleNamespace(**SETTINGS)
        return Saver(folder, args, learner, self.buffer, lambda: weights, lambda: None)


def at_once(loop: Loop, folder: Path) -> Turn:
    saver, began = loop.saver(folder), time.perf_counter()
    saver.save(1)
    saver.finish(1)
    taken = time.perf_counter() - began
    return Turn(taken, taken, 0.0, bytes_in(folder))


def beside(loop: Loop, folder: Path) -> Turn:
    saver, began = loop.saver(folder), time.perf_counter()
    saver.save(1)
    saved = time.perf_counter() - began
    passes = [saved + loop.go_round()]
    while not (folder / "1").exists():
        passes.append(loop.go_round())
    written = time.perf_counter() - began
    saver.finish(1)
    return Turn(max(passes), written, statistics.median(passes), bytes_in(folder))


def bytes_in(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def measure(m: Map, length: float, rounds: int, place: Path) -> str:
    """A row of the table."""
    loop = Loop(m, length, CAPACITY)
    alone = statistics.median(loop.go_round() for _ in range(ALONE))
    ways: dict[Callable[[Loop, Path], Turn], list[Turn]] = {at_once: [], beside: []}
    for _ in range(rounds):
        for way, turns in ways.items():
            with tempfile.TemporaryDirectory(dir=place) as folder:
                turns.append(way(loop, Path(folder)))

    def median(way: Callable[[Loop, Path], Turn], part: str) -> float:
        return statistics.median(getattr(turn, part) for turn in ways[way])

    columns = (
        m.name,
        f"{loop.buffer.episodes_in_buffer:,} episodes, {human(loop.buffer.bytes_used())}",
        human(median(beside, "n_bytes")),
        f"{median(at_once, 'longest'):.1f} s",
        f"{median(beside, 'longest'):.2f} s",
        f"{median(beside, 'written'):.1f} s",
        f"{1000 * alone:.0f} ms",
        f"{1000 * median(beside, 'usual'):.0f} ms",
    )
    return f"| {' | '.join(columns)} |\n"


def main() -> None:
    assert __doc__ is not None
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    names = [m.name for m in MAPS]
    parser.add_argument("--maps", nargs="+", choices=names, default=names)
    parser.add_argument("--length", type=float, default=0.4, help="of episodes, on average")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--folder", type=Path, default=Path(tempfile.gettempdir()))
    options = parser.parse_args()
    sys.stdout.write(HEAD)
    for m in MAPS:
        if m.name in options.maps:
            sys.stdout.write(measure(m, options.length, options.rounds, options.folder))
            sys.stdout.flush()
    sys.stdout.write(f"\n{human(available_bytes() or 0)} of memory left. {seen()}\n")


if __name__ == "__main__":
    torch.set_num_threads(1)
    main()
