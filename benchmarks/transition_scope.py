"""Training steps a second in the transition scope: act, step, insert, update, after every step.

Run by `compare.py`.

The environment costs nothing: it hands out numbers that were drawn before, in the shapes of the
named task. With a checkout of it, FACMAC's own runner, buffer, controller and learner do the same,
each tree in its own process and in turn; its environment lives in a worker, whose time is not
counted.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from types import SimpleNamespace
from typing import Any

import interleave
from interleave import Case, Job
from problems import settings_of

STEPS = 100  # an episode, which is what is timed
BUFFER = 20_000  # transitions; both trees take as long with more
LEVELS = (1, 2, 3)
WARM_UP = 3  # episodes


def prepare(name: str, algorithm: str, k_level: int) -> SimpleNamespace:
    """The paper's schedule, with learning from the first hundred transitions on."""
    sizes = {"episode_limit": STEPS, "buffer_size": BUFFER, "buffer_warmup": 100, "start_steps": 0}
    where = {"runner": "episode", "batch_size_run": 1, "env": "still"}
    return settings_of(name, algorithm, k_level, {**sizes, **where})


def ours(name: str, algorithm: str, k_level: int) -> Callable[[], Any]:
    """What plays one episode in this tree, learning after every step."""
    from ours import on_still, session_of

    session = session_of(on_still(prepare(name, algorithm, k_level)))
    from run import collect_transitions

    return lambda: collect_transitions(session)


def theirs(tree: str, name: str) -> Callable[[], Any]:
    """The same by FACMAC."""
    from ours import on_still
    from peers import player
    from still import Still

    args = on_still(prepare(name, "facmac_learner", 1))
    made = player(tree, args, lambda: Still(**args.env_args), "parallel", slots=2)
    return lambda: made.runner.run(
        test_mode=False, buffer=made.buffer, learner=made.learner, episode=0
    )


def serve(tree: str, name: str, algorithm: str, k_level: int) -> None:
    """A child: times one episode at a turn, in seconds a step."""
    import torch

    torch.set_num_threads(1)
    torch.manual_seed(0)
    play = ours(name, algorithm, k_level) if tree == "ours" else theirs(tree, name)
    for _ in range(WARM_UP):
        play()

    def work() -> float:
        began = time.process_time()
        play()
        return (time.process_time() - began) / STEPS

    interleave.serve(work)


def cases(names: Sequence[str], peers: Mapping[str, str]) -> list[Case]:
    """Our levels on each task, beside FACMAC where a checkout is given."""
    found = []
    for name in names:
        jobs = {"K=1": Job(__file__, ("ours", name, "facmac_learner", 1))}
        jobs |= {f"K={k}": Job(__file__, ("ours", name, "kfacmac_learner", k)) for k in LEVELS[1:]}
        if "facmac" in peers:
            jobs["FACMAC"] = Job(__file__, (peers["facmac"], name, "facmac_learner", 1))
        found.append(Case(f"{name} steps", jobs, "FACMAC" if "FACMAC" in jobs else "K=1"))
    return found


if __name__ == "__main__":
    interleave.be_child(serve)
