"""Acting and the runner, without learning, and an environment that costs next to nothing.

Run by `compare.py`. QMIX's controller plays episodes of 3m's shapes, all at the limit: in a batched
environment, in environments of this process, and in worker processes, one for each core. With a
checkout of it, PyMARL's parallel runner does the same. What counts is the processor time of the
playing process and of all its workers together, and in a second block that of the former alone.
"""

from __future__ import annotations

import multiprocessing
import os
import time
from collections.abc import Mapping, Sequence
from typing import Any

import interleave
from interleave import Case, Job
from problems import settings_of

ENVIRONMENTS = (8, 32)
EPISODES = 128  # a turn
PLACES = ("batched", "episode", "parallel")


def seconds_of(pids: Sequence[int]) -> float:
    """The processor time of running processes (Linux: each has a clock)."""
    return sum(time.clock_gettime((~pid << 3) | 2) for pid in pids)


def runner_of(tree: str, name: str, settings: Mapping[str, Any], rows: int) -> Any:
    """A runner with a controller, ready to play."""
    from ours import on_still

    sizes = {"batch_size_run": rows, "ragged": False, "buffer_size": 100}
    args = on_still(settings_of(name, "q_learner", 1, {**settings, **sizes}))
    if tree == "ours":
        from ours import session_of

        return session_of(args).runner
    from peers import player
    from still import Still

    make_env = lambda: Still(**args.env_args)  # noqa: E731
    return player(tree, args, make_env, settings["runner"], args.episode_limit + 1).runner


def serve(tree: str, name: str, settings: Mapping[str, Any], rows: int, with_workers: bool) -> None:
    """A child: times some rounds at a turn, in seconds a step."""
    runner = runner_of(tree, name, settings, rows)
    import torch

    torch.set_num_threads(1)
    workers = [child.pid for child in multiprocessing.active_children() if child.pid]
    pids = [os.getpid(), *(workers if with_workers else ())]

    def work() -> float:
        steps, began = runner.t_env, seconds_of(pids)
        with torch.no_grad():
            for _ in range(EPISODES // rows):
                runner.run(test_mode=False)
        return (seconds_of(pids) - began) / (runner.t_env - steps)

    work()
    interleave.serve(work)
    runner.close_env()


def cases(names: Sequence[str], peers: Mapping[str, str]) -> list[Case]:
    found = []
    for name in names:
        for rows in ENVIRONMENTS:
            for with_workers in (True, False):
                places = PLACES if with_workers else ("parallel",)
                jobs = {
                    place: Job(__file__, ("ours", name, {"runner": place}, rows, with_workers))
                    for place in places
                }
                if "pymarl" in peers:
                    words = (peers["pymarl"], name, {"runner": "parallel"}, rows, with_workers)
                    jobs["PyMARL"] = Job(__file__, words)
                counted = "" if with_workers else ", workers' time not counted"
                title = f"{name} rollout, {rows} environments{counted}"
                found.append(Case(title, jobs, "PyMARL", "steps/s"))
    return found


if __name__ == "__main__":
    interleave.be_child(serve)
