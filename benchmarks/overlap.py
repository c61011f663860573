"""The parts of a training step in the transition scope: would updates beside acting pay?

    python benchmarks/overlap.py [--rounds 8] [--levels 1 2]

Plays HalfCheetah 2x3 of Multi-Agent MuJoCo with the paper's networks and batches, an update after
every step. Milliseconds of processor time. An update needs what was inserted before it, so with two
processors a step takes no less than the longer of two parts: learning (sample and update), and
playing (act, environment and insert).
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable
from typing import Any

from ours import session_of
from problems import settings_of

import torch  # isort: skip - after the number of threads

STEPS = 100  # an episode
PARTS = ("act", "environment", "insert", "sample", "update")
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
    algorithm = "kfacmac_learner" if k_level > 1 else "facmac_learner"
    sizes = {"buffer_size": 20_000, "buffer_warmup": 100, "start_steps": 0}
    where = {"runner": "episode", "batch_size_run": 1, "env": "mamujoco", "env_args": TASK}
    session = session_of(settings_of("HalfCheetah-2x3", algorithm, k_level, {**sizes, **where}))
    from run import collect_transitions

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


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=8)
    parser.add_argument("--levels", type=int, nargs="+", default=[1, 2])
    options = parser.parse_args()
    torch.set_num_threads(1)
    sys.stdout.write(f"| K | {' | '.join(PARTS)} | whole | overlap could gain |\n{'|---' * 8}|\n")
    for k_level in options.levels:
        torch.manual_seed(0)
        spent = parts(prepare(k_level), options.rounds)
        learning = spent["sample"] + spent["update"]
        gain = spent["whole"] / max(learning, spent["whole"] - learning)
        figures = " | ".join(f"{spent[part]:.1f}" for part in (*PARTS, "whole"))
        sys.stdout.write(f"| {k_level} | {figures} | at most {gain:.2f}x |\n")


if __name__ == "__main__":
    main()
