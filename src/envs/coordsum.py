"""CoordSum (MAGPO, E2): the team's numbers must add up to a target, and the first not be guessed.

Who plays the same number for the same target again is found out. So the best joint policy is
random in its first number and certain in the sum, which agents that decide apart cannot be.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from envs.batched import Array
from envs.single import single_face
from envs.toy import ToyEnv
from envs.values import Info
from utils.errors import UserError, did_you_mean

RELEASED, OWN = ROWS = ("released", "own")
HIT, SURPRISE = 1.0, 2.0  # what a right sum pays if the first number was guessed, and if it was not


class Task(NamedTuple):
    """The sizes in the name of a task: 3x10-30 has 3 agents, 10 numbers and targets below 30."""

    n_agents: int
    n_actions: int
    maxval: int


TASKS = {
    "3x10-30": Task(3, 10, 30),
    "3x30-50": Task(3, 30, 50),
    "5x20-80": Task(5, 20, 80),
    "8x15-100": Task(8, 15, 100),
    "2x5-8": Task(2, 5, 8),  # small enough to learn in minutes
}


class CoordSumBatch(ToyEnv):
    """N agents see a target and say a number each; sums that are right pay 1, or 2 unguessed.

    The guess is the number that agent 1 has said most often in this episode where the record has
    the same row: the smallest of several, 0 at first. The released environment keeps as many rows
    as there are numbers, so all targets from the last number on share one; with rows=own each
    target has its own.
    """

    state_size, obs_size = 1, 1

    def __init__(
        self,
        n_envs: int,
        map_name: str = "3x10-30",
        n_agents: int | None = None,
        n_actions: int | None = None,
        maxval: int | None = None,
        episode_limit: int = 100,
        rows: str = RELEASED,
    ) -> None:
        own = {"n_agents": n_agents, "n_actions": n_actions, "maxval": maxval}
        task = task_of(map_name, {key: size for key, size in own.items() if size is not None})
        if rows not in ROWS:
            raise UserError(f"coordsum: rows={rows}; it can be {' or '.join(ROWS)}.")
        self.n_agents, self.n_actions, self.maxval = task
        self.action_names = tuple(f"says {number}" for number in range(task.n_actions))
        self._last_row = (self.maxval if rows == OWN else min(task.n_actions, task.maxval)) - 1
        self._targets = np.zeros((n_envs, episode_limit + 1), np.int64)  # one after the last slot
        self._said = np.zeros((n_envs, self._last_row + 1, self.n_actions), np.int64)
        self._hits = np.zeros((n_envs, 2), np.int64)  # right sums so far, and those unguessed
        super().__init__(n_envs, episode_limit)

    @property
    def targets(self) -> Array:
        """What each row's agents are to add up to now. (B,)"""
        return self._targets[np.arange(self.n_envs), self._t]

    def start(self, row: int, random: np.random.Generator) -> None:
        self._targets[row] = random.integers(self.maxval, size=self.episode_limit + 1)
        self._said[row], self._hits[row] = 0, 0

    def play(self, rows: Array, actions: Array) -> tuple[Array, Array, list[Info]]:
        targets, first = self.targets[rows], actions[:, 0]
        places = targets.clip(max=self._last_row)
        guesses = self._said[rows, places].argmax(axis=1)  # the first of the largest
        self._said[rows, places, first] += 1  # whether the sum is right or not
        right = actions.sum(axis=1) == targets
        self._hits[rows] += np.stack([right, right & (first != guesses)], axis=1)
        reward = right * np.where(first == guesses, HIT, SURPRISE)
        over = self._t[rows] + 1 >= self.episode_limit  # the task's end, as in the released one
        return reward, over, [{"hits": int(h), "surprises": int(s)} for h, s in self._hits[rows]]

    def observe(self, rows: Array) -> None:
        """The target as it is; agents are told apart by their ids."""
        self.state[rows, 0] = self.targets[rows]
        self.obs[rows] = self.state[rows, None]


def task_of(map_name: str, sizes: dict[str, int]) -> Task:
    """The named task with some of its sizes replaced."""
    if map_name not in TASKS:
        raise UserError(
            f"Unknown map_name '{map_name}' for env=coordsum.{did_you_mean(map_name, TASKS)} "
            f"Known: {', '.join(TASKS)}. Others are made by env_args.n_agents, n_actions, maxval."
        )
    task = TASKS[map_name]._replace(**sizes)
    if min(task) < 1:
        raise UserError(
            f"coordsum: n_agents={task.n_agents}, n_actions={task.n_actions}, "
            f"maxval={task.maxval}; each must be at least 1."
        )
    return task


CoordSum = single_face(CoordSumBatch)
