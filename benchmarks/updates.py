"""Whole updates: of K levels beside FACMAC's, of QMIX beside PyMARL's, of MADDPG beside EPyMARL's.

Run by `compare.py`. Every update is a full `train()` call. With a peer's checkout the same batch
also goes through its own learner, in a process of its own and in turn with ours.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import interleave
from interleave import Case, Job
from problems import settings_of

LEVELS = (1, 2, 5)
BATCHES = 4  # of other lengths each; a turn takes all, for a process that has waited is cold


def learner_of(
    args: SimpleNamespace, batch: Any, mac_of: Callable[[Any], Any] = lambda made: made
) -> Any:
    """A silent learner of the tree that can be imported; `mac_of` is asked what `mac:` made."""
    from controllers import REGISTRY as CONTROLLERS
    from learners import REGISTRY as LEARNERS

    mac = mac_of(CONTROLLERS[args.mac](batch.scheme, {"agents": args.n_agents}, args))
    quiet = SimpleNamespace(info=lambda *_: None)
    logger = SimpleNamespace(log_stat=lambda *_: None, console_logger=quiet)
    learner = LEARNERS[args.learner](mac, batch.scheme, logger, args)
    learner.log_stats_t = 10**12  # no statistics: those are the logger's cost
    return learner


def our_learner(args: SimpleNamespace, batch: Any) -> Any:
    """The same of this tree, computed by what a run with these settings would choose."""
    from modules.kernels import layers_made_with
    from pymarl.controllers import mac_of
    from training.kernels import choose_kernels
    from utils.logging import Logger

    quiet = Logger(logging.getLogger("quiet"))
    quiet.console_logger.setLevel(logging.ERROR)
    with layers_made_with(choose_kernels(args, batch.max_seq_length, None, quiet)):
        return learner_of(args, batch, mac_of)


def serve(
    tree: str, name: str, algorithm: str, k_level: int, changed: dict[str, Any] | None = None
) -> None:
    """A child: build the learner in `tree`, then time a few updates for each line on stdin."""
    args = settings_of(name, algorithm, k_level, changed)
    import torch
    from batches import make_batch

    if tree == "ours":
        from machine.allocation import keep_freed_memory

        keep_freed_memory()  # as a run does
    else:
        from peers import become

        become(Path(tree), args)
    torch.set_num_threads(1)
    torch.manual_seed(0)
    batches = [make_batch(args, seed) for seed in range(BATCHES)]
    learner = (our_learner if tree == "ours" else learner_of)(args, batches[0])
    for update, batch in enumerate(2 * batches):
        learner.train(batch, update, update)

    def work() -> float:
        began = time.process_time()
        for batch in batches:
            learner.train(batch, 1000, 1000)
        return (time.process_time() - began) / BATCHES

    interleave.serve(work)


def cases(algorithm: str, names: Sequence[str], peers: Mapping[str, str]) -> list[Case]:
    """Our levels on each problem, beside FACMAC's update where a checkout is given."""
    found = []
    for name in names:
        jobs = {f"K={k}": Job(__file__, ("ours", name, algorithm, k)) for k in LEVELS}
        if "facmac" in peers and "facmac" in algorithm:
            jobs["FACMAC"] = Job(__file__, (peers["facmac"], name, algorithm, 1))
        title = f"{name} {algorithm.removesuffix('_learner')}"
        found.append(Case(title, jobs, "FACMAC" if "FACMAC" in jobs else "K=1"))
    return found


def single_cases(
    algorithm: str, peer: str, label: str, names: Sequence[str], peers: Mapping[str, str]
) -> list[Case]:
    """An algorithm without levels, beside that of `peer`."""
    found = []
    for name in names:
        jobs = {"ours": Job(__file__, ("ours", name, algorithm, 1))}
        if peer in peers:
            jobs[label] = Job(__file__, (peers[peer], name, algorithm, 1))
        found.append(Case(f"{name} {algorithm.removesuffix('_learner')}", jobs, label))
    return found


if __name__ == "__main__":
    interleave.be_child(serve)
