"""What the core's batched tasks share: arrays for every row, step counters, time limits."""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from envs.batched import Array, BatchedEnv, Step
from envs.transcript import Transcript
from envs.values import EnvInfo, Info
from utils.errors import UserError
from utils.needs import DISCRETE


class ToyEnv(BatchedEnv):
    """Subclasses fill the sizes, `start` rows and `play` them; this class does the rest.

    Every random number of an episode is drawn in `start` (or `begin`) from the episode's own
    seed, so rows do not influence each other.
    """

    action_kind: ClassVar[str | None] = DISCRETE
    quick_to_make = True
    n_agents: int
    n_actions: int
    state_size: int
    obs_size: int
    extra_info: EnvInfo = {}
    action_names: tuple[str, ...] = ()  # for replays, which are text; without names, numbers

    def __init__(self, n_envs: int, episode_limit: int) -> None:
        if episode_limit < 1:
            raise UserError(f"episode_limit is {episode_limit}; it must be at least 1.")
        self.n_envs, self.episode_limit = n_envs, episode_limit
        self.state = np.zeros((n_envs, self.state_size), np.float32)
        self.obs = np.zeros((n_envs, self.n_agents, self.obs_size), np.float32)
        self.avail = np.ones((n_envs, self.n_agents, self.n_actions), np.uint8)
        self._t = np.zeros(n_envs, np.int64)  # steps taken in the present episode
        self._transcript = Transcript(episode_limit, self.action_names)

    def start(self, row: int, random: np.random.Generator) -> None:
        """Put `row` into the first situation of an episode."""

    def play(self, rows: Array, actions: Array) -> tuple[Array, Array, list[Info]]:
        """One step of `rows`: reward (n,), terminated (n,), infos."""
        raise NotImplementedError

    def observe(self, rows: Array) -> None:
        """Write `state`, `obs` and `avail` of `rows`."""
        raise NotImplementedError

    def begin(self, rows: Array, seeds: Array) -> None:
        """`start` each of `rows`; to be replaced where there is a way to start all at once."""
        for row, seed in zip(rows, seeds, strict=True):
            self.start(int(row), np.random.default_rng(int(seed)))

    def reset(self, rows: Array, seeds: Array) -> Array:
        self.begin(rows, np.asarray(seeds))
        self._t[rows] = 0
        self.observe(rows)
        return np.zeros(len(rows), bool)

    def step(self, rows: Array, actions: Array) -> Step:
        reward, terminated, infos = self.play(rows, actions)
        self._transcript.note(rows, self._t[rows], actions, reward)
        self._t[rows] += 1
        ended = terminated | (self._t[rows] >= self.episode_limit)
        self.observe(rows)
        for place in np.flatnonzero(ended & ~terminated):
            infos[place]["episode_limit"] = True
        lost = np.zeros(len(rows), bool)
        return Step(reward.astype(np.float32), ended, terminated, lost, infos)

    def save_replay(self) -> list[str | None]:
        title = type(self).__name__.removesuffix("Batch").lower()
        return [self._transcript.save(row, title) for row in range(self.n_envs)]

    def get_env_info(self) -> EnvInfo:
        return {
            "state_shape": self.state_size,
            "obs_shape": self.obs_size,
            "n_actions": self.n_actions,
            "n_agents": self.n_agents,
            "episode_limit": self.episode_limit,
            **self.extra_info,
        }


def nothing_to_say(rows: Array) -> list[Info]:
    """An empty info for each row."""
    return [{} for _ in rows]
