"""What CoordSum pays players that need not learn, as a Markdown table.

    python benchmarks/coordsum_players.py [--maps 3x10-30 2x5-8] [--episodes 400]

Returns, as means over the same seeds for every player:
random: every number; greedy: the first says as much as it can, the next as much as is left;
spread: the first says another number for each target, always the same, the others complete it;
joint: the first draws among the numbers that can be completed, the others complete it.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")
sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "src"))

import numpy as np

from envs.batched import Array
from envs.coordsum import OWN, RELEASED, SURPRISE, TASKS, CoordSumBatch, Task

Player = Callable[[Array, Task, np.random.Generator], Array]  # targets (B,) -> numbers (B, N)
STRIDE = 7  # by which "spread" walks through the numbers that can be completed


def completed(first: Array, targets: Array, task: Task) -> Array:
    """The first number, and what the others say, each as much as it can. (B,) -> (B, N)"""
    numbers, left = [first], targets - first
    for _ in range(task.n_agents - 1):
        numbers.append(left.clip(0, task.n_actions - 1))
        left = left - numbers[-1]
    return np.stack(numbers, axis=1)


def bounds(targets: Array, task: Task) -> tuple[Array, Array]:
    """The smallest and largest first number that the others can complete; 0 if there is none."""
    most = task.n_actions - 1
    high = np.where(targets <= task.n_agents * most, targets.clip(max=most), 0)
    low = targets - (task.n_agents - 1) * most
    return np.minimum(low.clip(min=0), high), high


def random_player(targets: Array, task: Task, random: np.random.Generator) -> Array:
    return random.integers(task.n_actions, size=(len(targets), task.n_agents))


def greedy(targets: Array, task: Task, random: np.random.Generator) -> Array:
    return completed(bounds(targets, task)[1], targets, task)


def spread(targets: Array, task: Task, random: np.random.Generator) -> Array:
    low, high = bounds(targets, task)
    return completed(low + STRIDE * targets % (high - low + 1), targets, task)


def joint(targets: Array, task: Task, random: np.random.Generator) -> Array:
    low, high = bounds(targets, task)
    return completed(random.integers(low, high + 1), targets, task)


PLAYERS: dict[str, Player] = {
    "random": random_player,
    "greedy": greedy,
    "spread": spread,
    "joint": joint,
}


def bound(task: Task, steps: int = 100) -> float:
    """What no player can exceed in the mean: two for every target that can be reached."""
    largest = task.n_agents * (task.n_actions - 1)
    return SURPRISE * steps * min(task.maxval, largest + 1) / task.maxval


def mean_return(map_name: str, player: Player, rows: str, episodes: int) -> float:
    env = CoordSumBatch(episodes, map_name, rows=rows)
    everyone, random, paid = np.arange(episodes), np.random.default_rng(0), 0.0
    env.reset(everyone, everyone)
    for _ in range(env.episode_limit):
        step = env.step(everyone, player(env.targets, TASKS[map_name], random))
        paid += float(step.reward.mean())
    return paid


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--maps", nargs="+", default=list(TASKS))
    parser.add_argument("--episodes", type=int, default=400)
    asked = parser.parse_args()
    columns = [f"{player}, {rows} rows" for rows in (RELEASED, OWN) for player in PLAYERS]
    sys.stdout.write(f"| task | bound | {' | '.join(columns)} |\n")
    sys.stdout.write("|---" * (len(columns) + 2) + "|\n")
    for name in asked.maps:
        found = [
            f"{mean_return(name, player, rows, asked.episodes):.1f}"
            for rows in (RELEASED, OWN)
            for player in PLAYERS.values()
        ]
        sys.stdout.write(f"| {name} | {bound(TASKS[name]):.1f} | {' | '.join(found)} |\n")


if __name__ == "__main__":
    main()
