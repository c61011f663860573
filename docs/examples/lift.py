"""An environment of your own: two agents lift a table together. Read from top to bottom."""

from __future__ import annotations

from typing import Any

import numpy as np

from envs import REGISTRY
from envs.multiagentenv import MultiAgentEnv

WAIT, LIFT = 0, 1


class Lift(MultiAgentEnv):
    """The table rises when all lift in the same step; lifting alone costs 0.5 and achieves nothing.

    Each agent sees how high the table is. A tired agent, one that lifted in vain, must wait.
    """

    def __init__(self, n_agents: int = 2, height: int = 3, seed: int | None = None) -> None:
        self.n_agents, self.height = n_agents, height
        self.episode_limit = 4 * height
        self._random = np.random.default_rng(seed)

    def reseed(self, seed: int) -> None:
        """Make the next `reset` depend on `seed` alone."""
        self._random = np.random.default_rng(seed)

    def reset(self) -> None:
        self._risen = int(self._random.integers(self.height))  # it may start part of the way up
        self._tired = np.zeros(self.n_agents, bool)
        self._steps = 0

    def step(self, actions: Any) -> tuple[float, bool, dict[str, Any]]:
        lifting = np.asarray(actions) == LIFT
        together = bool(lifting.all())
        self._tired = lifting & ~together
        self._risen += together
        self._steps += 1
        reward = 1.0 * together - 0.5 * (lifting.any() and not together)
        done = self._risen == self.height
        out_of_time = self._steps == self.episode_limit and not done
        info = {"lifted": done}
        if out_of_time:
            info["episode_limit"] = True  # a time limit: the value of what follows still counts
        return reward, done or out_of_time, info

    def get_obs_agent(self, agent_id: int) -> np.ndarray:
        return np.array([self._risen / self.height, self._tired[agent_id]], np.float32)

    def get_obs_size(self) -> int:
        return 2

    def get_state(self) -> np.ndarray:
        return np.concatenate([[self._risen / self.height], self._tired]).astype(np.float32)

    def get_state_size(self) -> int:
        return 1 + self.n_agents

    def get_avail_agent_actions(self, agent_id: int) -> list[int]:
        return [1, 0] if self._tired[agent_id] else [1, 1]

    def get_total_actions(self) -> int:
        return 2


REGISTRY["lift"] = Lift
