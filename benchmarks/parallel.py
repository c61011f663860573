"""Worker processes: how many, how they are woken, and PyMARL's.

Run by `compare.py`. As `rollout.py`, with nothing but `runner=parallel`: at its defaults, which are
a process for each core; with one process; with one for each environment, and those once more as
they are woken where the system has no eventfd. What counts is the processor time of all processes.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence

import interleave
import rollout
from interleave import Case, Job

REFERENCE = "PyMARL"


def serve(tree: str, name: str, processes: int | None, rows: int, with_eventfd: bool) -> None:
    """A child of `rollout.py`, where wake-ups are as said."""
    if not with_eventfd and hasattr(os, "eventfd"):
        del os.eventfd
    settings = {"runner": "parallel", "env_processes": processes}
    rollout.serve(tree, name, settings, rows, with_workers=True)


def cases(names: Sequence[str], peers: Mapping[str, str]) -> list[Case]:
    return [_case(name, rows, peers) for name in names for rows in rollout.ENVIRONMENTS]


def _case(name: str, rows: int, peers: Mapping[str, str]) -> Case:
    def job(processes: int | None, tree: str = "ours", with_eventfd: bool = True) -> Job:
        return Job(__file__, (tree, name, processes, rows, with_eventfd))

    jobs = {
        "default": job(None),
        "one process": job(1),
        "one each": job(rows),
        "one each, no eventfd": job(rows, with_eventfd=False),
    }
    if "pymarl" in peers:
        jobs[REFERENCE] = job(None, peers["pymarl"])
    return Case(f"{name} in processes, {rows} environments", jobs, REFERENCE, "steps/s")


if __name__ == "__main__":
    interleave.be_child(serve)
