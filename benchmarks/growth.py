"""How an update grows: in steps, in agents and in levels; its memory too. Run by `compare.py`.

Whole `train()` calls of K-FACMAC as in `updates.py`, all episodes at the limit. An exponent is the
slope of the least-squares line through the logarithms: 1 is linear growth.
"""

from __future__ import annotations

import gc
import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import interleave
import numpy
from interleave import Case, Job, Medians
from problems import settings_of

UPDATES = str(Path(__file__).with_name("updates.py"))
STEPS = (30, 60, 120, 180)
AGENTS = (3, 6, 12, 27)
LEVELS = (1, 2, 3, 4, 5)
PER_AGENT = {"obs_shape": 80, "n_actions": 11}  # 2s3z's, whatever the number of agents
STATE_PER_AGENT = 24
UNMIXED = "{} agents, values summed"


def exponent(numbers: Sequence[int], label: str) -> Callable[[Medians], dict[str, float]]:
    """Of the growth of the jobs called `label` of each number."""

    def of(medians: Medians) -> dict[str, float]:
        seconds = [medians[label.format(number)] for number in numbers]
        return {"exponent": float(numpy.polyfit(numpy.log(numbers), numpy.log(seconds), 1)[0])}

    return of


def in_agents(medians: Medians) -> dict[str, float]:
    """The exponent, and what QMIX's mixing adds to an update whose values are only summed."""
    most = AGENTS[-1]
    mixed, summed = medians[f"{most} agents"], medians[UNMIXED.format(most)]
    grown = exponent(AGENTS, "{} agents")(medians)
    without = exponent(AGENTS, UNMIXED)(medians)["exponent"]
    return {**grown, "exponent, values summed": without, "share of mixing": 1 - summed / mixed}


def serve(name: str, k_level: int) -> None:
    """A child: the most bytes that tensors take at a time, from the batch on to three updates."""
    os.environ["KINETO_LOG_LEVEL"] = "99"  # the profiler's own words
    import torch

    torch.set_num_threads(1)
    torch.manual_seed(0)

    def work() -> float:
        return float(peak_of(lambda: three_updates(name, k_level)))

    interleave.serve(work)


def three_updates(name: str, k_level: int) -> None:
    args = settings_of(name, "kfacmac_learner", k_level, {"ragged": False})
    from batches import make_batch
    from updates import our_learner

    batch = make_batch(args)
    learner = our_learner(args, batch)
    for update in range(3):
        learner.train(batch, update, update)


def peak_of(call: Callable[[], None]) -> int:
    """The highest sum of bytes of what torch allocated and has not freed, during `call`."""
    from torch.profiler import ProfilerActivity, profile

    gc.collect()  # what an earlier call left would be taken off
    with profile(activities=[ProfilerActivity.CPU], profile_memory=True) as seen:
        call()
    events: Any = seen.profiler
    changes = [event for event in events.kineto_results.events() if event.name() == "[memory]"]
    changes.sort(key=lambda event: event.start_ns())
    return int(numpy.cumsum([event.nbytes() for event in changes]).max())


def cases(names: Sequence[str], peers: Mapping[str, str]) -> list[Case]:
    """On each shape, in steps, levels and memory; in agents, whose numbers are the shape."""

    def job(name: str, k_level: int, **changed: Any) -> Job:
        full = {"ragged": False, **changed}
        return Job(UPDATES, ("ours", name, "kfacmac_learner", k_level, full))

    def team(n: int, mixer: str) -> Job:
        sizes = {"n_agents": n, "state_shape": STATE_PER_AGENT * n, **PER_AGENT}
        return job("2s3z", 1, mixer=mixer, **sizes)

    found = []
    for name in names:
        steps = {f"{T} steps": job(name, 1, episode_limit=T) for T in STEPS}
        levels = {f"K={k}": job(name, k) for k in LEVELS}
        memory = {f"K={k}": Job(__file__, (name, k)) for k in LEVELS}
        slope = exponent(STEPS, "{} steps")
        found.append(Case(f"{name}, growth in steps", steps, f"{STEPS[0]} steps", "ms", slope))
        found.append(Case(f"{name}, growth in levels", levels, "K=1"))
        found.append(Case(f"{name}, memory of levels", memory, "K=1", "MB"))
    agents = {f"{n} agents": team(n, "qmix") for n in AGENTS}
    agents |= {UNMIXED.format(n): team(n, "vdn") for n in AGENTS}
    return [*found, Case("growth in agents", agents, f"{AGENTS[0]} agents", "ms", in_agents)]


if __name__ == "__main__":
    interleave.be_child(serve)
