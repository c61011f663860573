"""`create_environment`, and what it gives: players who run right, the first one with the ball."""

from __future__ import annotations

import random
import sys
from types import SimpleNamespace
from typing import Any

import numpy as np

ACTIONS, RIGHT, GOAL = 19, 5, 1.0
SCENARIOS = ("academy_3_vs_1_with_keeper", "academy_counterattack_hard")


def create_environment(
    env_name: str = "",
    representation: str = "extracted",
    rewards: str = "scoring",
    write_goal_dumps: bool = False,
    write_full_episode_dumps: bool = False,
    render: bool = False,
    write_video: bool = False,
    dump_frequency: int = 1,
    logdir: str = "",
    number_of_left_players_agent_controls: int = 1,
    other_config_options: dict[str, Any] | None = None,
) -> Pitch:
    if env_name not in SCENARIOS:
        sys.exit(1)  # as the package does
    assert representation in ("simple115", "simple115v2")
    assert "scoring" in rewards.split(",")
    settings = {"render": render, "checkpoints": "checkpoints" in rewards}
    settings |= other_config_options or {}
    return Pitch(number_of_left_players_agent_controls, settings)


class Pitch:
    """Old Gym: `reset` gives observations, `step` four values; there is no way to seed it."""

    def __init__(self, n_players: int, settings: dict[str, Any]) -> None:
        self._n, self._config = n_players, settings
        several = SimpleNamespace(nvec=np.full(n_players, ACTIONS))
        self.action_space = several if n_players > 1 else SimpleNamespace(n=ACTIONS)
        shape = (n_players, 115) if n_players > 1 else (115,)
        self.observation_space = SimpleNamespace(shape=shape)

    @property
    def unwrapped(self) -> Pitch:
        return self

    def reset(self) -> np.ndarray:
        seed = self._config.get("game_engine_random_seed", random.randint(0, 2_000_000_000))
        self._random = np.random.default_rng(seed)
        self._places = self._random.uniform(0.3, 0.6, self._n)
        return self._seen()

    def step(self, actions: list[int]) -> tuple[np.ndarray, Any, bool, dict[str, int]]:
        assert [type(action) for action in actions] == [int] * self._n
        was = self._places[0]
        self._places += self._random.uniform(0, 0.01, self._n) + 0.05 * (np.array(actions) == RIGHT)
        goal = int(self._places[0] > GOAL)
        rewards = np.full(self._n, goal, np.float32)
        if self._config["checkpoints"]:
            rewards[0] += 0.1 * (int(10 * self._places[0]) - int(10 * was))  # paid to who had it
        reward = rewards if self._n > 1 else rewards[0]
        return self._seen(), reward, bool(goal), {"score_reward": goal}

    def _seen(self) -> np.ndarray:
        seen = np.full((self._n, 115), -1, np.float32)
        seen[:, : self._n] = self._places
        seen[:, 97:108] = np.eye(self._n, 11)  # whom each one is
        return seen if self._n > 1 else seen[0]

    def render(self, mode: str = "human") -> np.ndarray:
        assert (self._config["render"], mode) == (True, "rgb_array")
        size = self._config["render_resolution_y"], self._config["render_resolution_x"]
        picture = np.zeros((*size, 3), np.uint8)
        picture[:, : int(size[1] * min(1.0, self._places[0]))] = 255
        return picture

    def close(self) -> None: ...
