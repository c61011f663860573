"""Whether updates beside acting would pay in the transition scope: the parts of a training step.

    python benchmarks/overlap.py [--rounds 8] [--levels 1 2]

Plays HalfCheetah 2x3 of Multi-Agent MuJoCo with the paper's networks and batches, an update after
every step. The parts are processor time. Then the same is tried: a thread updates while the next
action is chosen and the environment steps, in turn with the way things are; the best round of each
counts, by the clock. (The thread changes networks that are being read: right for a clock only.)
"""

from __future__ import annotations

import argparse
import json
import logging
import sys
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

from k_levels import settings_of

import torch  # isort: skip - after the number of threads

STEPS = 100  # an episode
TASK = {"scenario_name": "HalfCheetah", "agent_conf": "2x3", "episode_limit": STEPS}


class Clock:
    """Seconds of processor time in the calls that it watches."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}

    def watch(self, name: str, call: Callable[..., Any]) -> Callable[..., Any]:
        def watched(*given: Any, **named: Any) -> Any:
            began = time.process_time()
            result = call(*given, **named)
            self.seconds[name] = self.seconds.get(name, 0.0) + time.process_time() - began
            return result

        return watched


def prepare(k_level: int) -> Any:
    """A session in which the buffer is warm."""
    args = settings_of(
        "HalfCheetah-2x3", "kfacmac_learner" if k_level > 1 else "facmac_learner", k_level
    )
    args.runner_scope, args.runner, args.batch_size_run = "transition", "episode", 1
    args.buffer_size, args.buffer_warmup, args.start_steps = 20_000, 100, 0
    args.env, args.env_args, args.seed, args.use_cuda = "mamujoco", TASK, 1, False
    args.log_interval = args.runner_log_interval = 10**9
    from run import build, collect_transitions
    from runners import REGISTRY as RUNNERS
    from utils.logging import Logger

    logger = Logger(logging.getLogger("quiet"))
    logger.console_logger.setLevel(logging.ERROR)
    session = build(args, logger, RUNNERS[args.runner](args=args, logger=logger))
    session.learner.log_stats_t = 10**12
    for _ in range(3):
        collect_transitions(session)
    return session


def parts(session: Any, rounds: int) -> dict[str, float]:
    """Milliseconds of a training step."""
    from run import collect_transitions

    clock, vector, learner = Clock(), session.runner._train.vector, session.learner
    was = vector.step, learner.train, session.buffer.sample, session.buffer.insert_episode_batch
    vector.step = clock.watch("environment", vector.step)
    learner.train = clock.watch("update", learner.train)
    session.buffer.sample = clock.watch("sample", session.buffer.sample)
    session.buffer.insert_episode_batch = clock.watch("insert", was[3])
    began = time.process_time()
    for _ in range(rounds):
        collect_transitions(session)
    total = time.process_time() - began
    vector.step, learner.train, session.buffer.sample, session.buffer.insert_episode_batch = was
    spent = {name: 1000 * seconds / rounds / STEPS for name, seconds in clock.seconds.items()}
    whole = 1000 * total / rounds / STEPS
    return {**spent, "act": whole - sum(spent.values()), "whole": whole}


def overlapped(session: Any, pool: ThreadPoolExecutor) -> None:
    """An episode in which each update runs beside the step after it."""
    from run import learn

    pending: list[Future[None]] = []

    def on_transition(pair: Any) -> None:
        if pending:
            pending.pop().result()
        session.buffer.insert_episode_batch(pair)
        pending.append(pool.submit(learn, session))

    session.runner.run(test_mode=False, on_transition=on_transition)
    pending.pop().result()


def by_the_clock(session: Any, rounds: int) -> dict[str, float]:
    """Steps a second, one after the other and side by side."""
    from run import collect_transitions

    best = {"in turn": 0.0, "side by side": 0.0}
    with ThreadPoolExecutor(1) as pool:
        ways = {
            "in turn": lambda: collect_transitions(session),
            "side by side": lambda: overlapped(session, pool),
        }
        for _ in range(rounds):
            for name, play in ways.items():
                began = time.perf_counter()
                play()
                best[name] = max(best[name], STEPS / (time.perf_counter() - began))
    return best


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=8)
    parser.add_argument("--levels", type=int, nargs="+", default=[1, 2])
    options = parser.parse_args()
    torch.set_num_threads(1)
    for k_level in options.levels:
        torch.manual_seed(0)
        session = prepare(k_level)
        spent = parts(session, options.rounds)
        least = max(spent["update"] + spent["sample"], spent["act"] + spent["environment"])
        found = {
            "K": k_level,
            "milliseconds": spent,
            "most that overlap could gain": spent["whole"] / least,
            "steps a second": by_the_clock(session, options.rounds),
        }
        sys.stdout.write(json.dumps(found, indent=1) + "\n")


if __name__ == "__main__":
    main()
