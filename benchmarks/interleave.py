"""Things to be compared, each in a process of its own, timed in turn: the one place for that."""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple


class Job(NamedTuple):
    """`script --serve WORDS` is a child that times its work once for each line it gets."""

    script: str
    words: tuple[Any, ...]
    python: str = sys.executable  # a peer may have an environment of its own


Medians = Mapping[str, float]


class Case(NamedTuple):
    """What is measured together; ratios are to the job called `reference`, if it is there.

    `unit` is how figures are shown, of `UNITS`; `findings` are names and numbers that follow from
    the medians of all jobs.
    """

    name: str
    jobs: Mapping[str, Job]
    reference: str
    unit: str = "ms"
    findings: Callable[[Medians], dict[str, float]] = lambda medians: {}


UNITS: Mapping[str, Callable[[float], float]] = {
    "ms": lambda seconds: 1000 * seconds,
    "steps/s": lambda seconds: 1 / seconds,  # jobs give seconds a step
    "MB": lambda n_bytes: n_bytes / 1e6,
}


def checkout(path: str) -> str:
    """The path of a peer's tree."""
    folders = "src", "harl", "baselines", "mat"
    if not any(Path(path, folder).is_dir() for folder in folders):
        raise argparse.ArgumentTypeError(
            f"{path} is no checkout: it has none of the folders {', '.join(folders)}"
        )
    return path


class Child:
    """One job in its process, timed on request."""

    def __init__(self, job: Job) -> None:
        words = [job.python, "-W", "ignore", job.script, "--serve", json.dumps(job.words)]
        self._process = subprocess.Popen(
            words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        self._job = job
        self.times: list[float] = []
        assert self._process.stdout is not None
        while (line := self._process.stdout.readline()) != "ready\n":
            if not line:
                raise SystemExit(f"{job.words}: the child did not start.")

    def time_once(self) -> None:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write("go\n")
        self._process.stdin.flush()
        line = self._process.stdout.readline()
        if not line:
            raise SystemExit(f"{self._job.words}: the child ended early.")
        self.times.append(float(line))

    def close(self) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait()


def in_turn(jobs: Mapping[Any, Job], rounds: int) -> dict[Any, list[float]]:
    """Figures of each job, `rounds` of them, in turn.

    The first time after a wait finds cold caches, so a turn is two times, of which one counts.
    """
    children: dict[Any, Child] = {}
    try:
        for label, job in jobs.items():
            children[label] = Child(job)
        for _ in range(rounds):
            for child in children.values():
                child.time_once()
                child.time_once()
    finally:
        for child in children.values():
            child.close()
    return {label: child.times[1::2] for label, child in children.items()}


def serve(work: Callable[[], float]) -> None:
    """A child's side: `work` returns the seconds it took, or another figure."""
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    for _ in sys.stdin:
        sys.stdout.write(f"{work()}\n")
        sys.stdout.flush()


def be_child(prepare: Callable[..., None]) -> None:
    """The command line of a child: `prepare` gets the job's words, and serves."""
    parser = argparse.ArgumentParser(description="Children of compare.py, which has the options.")
    parser.add_argument("--serve", required=True)
    prepare(*json.loads(parser.parse_args().serve))


def spread(times: list[float]) -> float:
    """Half of what lies between the quartiles, in units of the median."""
    low, middle, high = statistics.quantiles(times, n=4, method="inclusive")
    return (high - low) / 2 / middle
