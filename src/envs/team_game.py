"""Random team games: in each state a table of payoffs over all joint actions, the same for all."""

from __future__ import annotations

import re
from typing import NamedTuple

import numpy as np

from envs.batched import Array
from envs.hashing import uniform
from envs.single import single_face
from envs.toy import ToyEnv, nothing_to_say
from envs.values import Info
from utils.errors import UserError

NAME = re.compile(r"(\d{1,4})x(\d{1,4})x(\d{1,4})")
MOST_PAYOFFS = 2**24  # of one game


class Task(NamedTuple):
    """The sizes in the name of a task: 3x4x8 has 3 agents, 4 actions and 8 states."""

    n_agents: int
    n_actions: int
    n_states: int


class TeamGameBatch(ToyEnv):
    """Agents see a state, drawn evenly before every move, and act once; a table pays the team.

    The payoffs are normal numbers, drawn once from `payoff_seed` and the same in all rows. In each
    state they are moved and scaled so that their mean is 0 and the best is 1: agents that act
    evenly get 0 on average, and a return of 1 for each move is the optimum.
    """

    def __init__(
        self,
        n_envs: int,
        map_name: str = "3x4x8",
        payoff_seed: int | None = None,
        episode_limit: int = 1,
    ) -> None:
        self.n_agents, self.n_actions, self.n_states = task = task_of(map_name)
        self.state_size = self.obs_size = task.n_states
        self.payoffs = payoffs_of(task, seed_of(payoff_seed))  # (S, A ** N)
        self._places = task.n_actions ** np.arange(task.n_agents)[::-1]  # of a joint action
        self._eye = np.eye(task.n_states, dtype=np.float32)
        self._states = np.zeros((n_envs, episode_limit + 1), np.int64)  # one after the last slot
        super().__init__(n_envs, episode_limit)

    def begin(self, rows: Array, seeds: Array) -> None:
        drawn = uniform(seeds, self.episode_limit + 1, stream=0)  # (n, T + 1), below 1
        self._states[rows] = (drawn * self.n_states).astype(np.int64)

    def play(self, rows: Array, actions: Array) -> tuple[Array, Array, list[Info]]:
        reward = self.payoffs[self._states[rows, self._t[rows]], actions @ self._places]
        return reward, self._t[rows] + 1 >= self.episode_limit, nothing_to_say(rows)

    def observe(self, rows: Array) -> None:
        self.state[rows] = self._eye[self._states[rows, self._t[rows]]]
        self.obs[rows] = self.state[rows, None]


def task_of(map_name: str) -> Task:
    """The sizes that a name stands for."""
    match = NAME.fullmatch(str(map_name))
    task = Task(*map(int, match.groups())) if match else Task(0, 0, 0)
    if min(task) < 1:
        raise UserError(
            f"team_game: map_name={map_name} cannot be. It is agents x actions x states, each at "
            "least 1, as in env_args.map_name=3x4x8"
        )
    if task.n_states * task.n_actions**task.n_agents > MOST_PAYOFFS:
        raise UserError(
            f"team_game: map_name={map_name} has {task.n_states} x {task.n_actions}^"
            f"{task.n_agents} payoffs; at most {MOST_PAYOFFS:,} are kept. Take fewer agents, "
            "actions or states."
        )
    return task


def seed_of(payoff_seed: int | None) -> int:
    """What a game is drawn from; 0 where nobody says."""
    if payoff_seed is None:
        return 0
    if isinstance(payoff_seed, bool) or not isinstance(payoff_seed, int) or payoff_seed < 0:
        raise UserError(f"payoff_seed={payoff_seed!r} cannot be; it is a whole number, from 0 on.")
    return payoff_seed


def payoffs_of(task: Task, seed: int) -> Array:
    """Of mean 0, the best being 1, in each state. (S, A ** N)"""
    size = task.n_states, task.n_actions**task.n_agents
    drawn = np.random.default_rng(seed).normal(size=size)
    drawn -= drawn.mean(axis=1, keepdims=True)
    best = drawn.max(axis=1, keepdims=True)
    return (drawn / np.where(best > 0, best, 1.0)).astype(np.float32)  # 0 where nobody can choose


TeamGame = single_face(TeamGameBatch)
