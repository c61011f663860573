"""What looking ahead is worth with exact gradients: how far, and backwards as a control.

Two softmax players on the Penalty and Climbing games, and the walkers of meet-up, from random
starts. The score of a start is the payoff after the last update, over the best there is; a rate is
chosen on half of the starts and judged on the other; differences are paired, start by start.

    python benchmarks/exact_lookahead.py [STARTS [TASK ...]]
"""

from __future__ import annotations

import math
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "src"))

import torch
from torch import Tensor, nn
from torch.optim import Optimizer, RMSprop

from learners.objective import joint_of
from reporting.comparison import Scores, cross_fitted, difference
from theory.ascent import Ascent, MakeOptimiser, sgd
from theory.games import CLIMBING, Payoff, matrix_game, meet_up, penalty

UPDATES = 300
SCALES = (-1.0, 0.5, 1.0, 4.0)
RATES = {"SGD": (0.003, 0.01, 0.03, 0.1, 0.3), "RMSProp": (0.001, 0.003, 0.01, 0.03, 0.1)}


class Task(NamedTuple):
    payoff: Payoff
    best: float  # to which payoffs are scaled
    spread: float  # of the starts
    size: int  # parameters of a player


TASKS = {
    "Penalty": Task(matrix_game(penalty()), 10.0, 1.0, 3),
    "Climbing": Task(matrix_game(CLIMBING), 11.0, 1.0, 3),
    "meet-up": Task(lambda joint: 1 + meet_up(joint), 1.0, math.pi / 2, 1),
}


def optimiser(name: str, rate: float) -> MakeOptimiser:
    if name == "SGD":
        return sgd(rate)

    def rmsprop(params: Iterable[nn.Parameter]) -> Optimizer:
        return RMSprop(params, lr=rate, alpha=0.99, eps=1e-5)

    return rmsprop


def finals(task: Task, name: str, rate: float, starts: Tensor, K: int, scale: float) -> Scores:
    """The players' mean payoff after all updates, by the start's number."""
    ascent = Ascent(task.payoff, starts, optimiser(name, rate), K, scale=scale)
    for _ in range(UPDATES):
        ascent.step()
    theta = ascent.theta.unsqueeze(1)  # (B, 1, N, D)
    payoffs = task.payoff(joint_of(theta, theta).squeeze(1)).mean(dim=1) / task.best
    return dict(enumerate(payoffs.tolist()))


def tuned(task: Task, name: str, starts: Tensor, K: int, scale: float) -> Scores:
    """The same at the rate that is best on the other half of the starts."""
    return cross_fitted({rate: finals(task, name, rate, starts, K, scale) for rate in RATES[name]})


def main(n_starts: int, wanted: list[str]) -> None:
    random = torch.Generator().manual_seed(0)
    sys.stdout.write(f"{n_starts} starts, {UPDATES} updates; difference to K = 1 +- 95 %\n")
    for title in wanted or TASKS:
        task = TASKS[title]
        shape = n_starts, 2, task.size
        starts = task.spread * torch.randn(shape, generator=random, dtype=torch.float64)
        for name in RATES:
            alone = tuned(task, name, starts, 1, 1.0)
            sys.stdout.write(f"{title:<9}{name:<8}K = 1: {sum(alone.values()) / n_starts:.3f}")
            for scale in SCALES:
                found = difference(title, "", "final", tuned(task, name, starts, 2, scale), alone)
                assert found is not None
                half = found.high - found.mean
                sys.stdout.write(f"   {scale:g}: {found.mean:+.3f} +- {half:.3f}")
            sys.stdout.write("\n")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 1000, sys.argv[2:])
