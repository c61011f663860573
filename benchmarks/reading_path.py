"""What a newcomer reads to understand an algorithm: the files that one update and one slot enter.

    python benchmarks/reading_path.py kfacmac [qmix mappo ...] [--files]

An update is traced on a small batch of 3m's shape, without statistics; then the choice of the
actions of one slot. Counted are the files of `src` in which a function ran, their lines, and the
hops: how often a function of one file called one of another, in the update alone.
"""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from types import FrameType, SimpleNamespace
from typing import Any

from problems import settings_of

SRC = str(Path(__file__).resolve().parents[1] / "src") + "/"
EPISODES = 8  # in a round and in a batch


class ReadingPath:
    """Files in the order in which they are entered, and calls from one to another."""

    def __init__(self) -> None:
        self.files: list[str] = []
        self.hops: Counter[str] = Counter()

    def follow(self, work: Callable[[], Any]) -> None:
        sys.setprofile(self._note)
        try:
            work()
        finally:
            sys.setprofile(None)

    def _note(self, frame: FrameType, event: str, _: object) -> None:
        here = frame.f_code.co_filename
        if event != "call" or not here.startswith(SRC):
            return
        if here not in self.files:
            self.files.append(here)
        caller = frame.f_back
        while caller is not None and not caller.f_code.co_filename.startswith(SRC):
            caller = caller.f_back
        if caller is not None and caller.f_code.co_filename != here:
            self.hops[f"{short(caller.f_code.co_filename)} -> {short(here)}"] += 1


def settings(algorithm: str) -> SimpleNamespace:
    """The algorithm file's, on 3m's shape, few episodes."""
    import yaml

    file = Path(SRC) / "config" / "algs" / f"{algorithm}.yaml"
    given = yaml.safe_load(file.read_text())
    given.pop("env_args", None)
    learner = given.get("learner", "q_learner")
    sizes = dict.fromkeys(("batch_size", "batch_size_run"), EPISODES)
    on_policy = any(word in learner for word in ("ppo", "coma"))
    once = {"buffer_size": EPISODES, "updates_per_episode": None} if on_policy else {}
    return settings_of("3m", learner, 2, {**given, **sizes, **once})


def measure(algorithm: str) -> tuple[ReadingPath, Counter[str]]:
    """The path of an update and an acted slot, and the update's hops."""
    args = settings(algorithm)
    import torch
    from batches import make_batch
    from updates import our_learner

    torch.manual_seed(0)
    batch = make_batch(args)
    learner = our_learner(args, batch)
    learner.train(batch, 0, 0)
    path = ReadingPath()
    path.follow(lambda: learner.train(batch, 1, 1))
    hops = path.hops.copy()
    from policies.contract import Observed

    seen, memory = Observed.of(batch, 1), learner.policy.blank_memory(batch.batch_size)
    with torch.no_grad():
        path.follow(lambda: learner.policy.act(seen, memory, t_env=0))
    return path, hops


def short(file: str) -> str:
    return file.removeprefix(SRC)


def lines_of(file: str) -> int:
    return len(Path(file).read_text().splitlines())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("algorithms", nargs="+")
    parser.add_argument("--files", action="store_true", help="also name files and hops")
    asked = parser.parse_args()
    for algorithm in asked.algorithms:
        path, hops = measure(algorithm)
        lines = sum(map(lines_of, path.files))
        sys.stdout.write(
            f"{algorithm}: {len(path.files)} files, {lines:,} lines; "
            f"an update makes {hops.total()} hops\n"
        )
        if asked.files:
            for file in path.files:
                sys.stdout.write(f"  {lines_of(file):4d}  {short(file)}\n")
            for pair, count in hops.most_common():
                sys.stdout.write(f"  {count:4d}  {pair}\n")


if __name__ == "__main__":
    main()
