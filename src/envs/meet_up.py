"""The meet-up problem of the K-level paper (Appendix B): two walkers want to go towards each other.

Each must answer where the other *will* be, which is what K-level reasoning is about.
"""

from __future__ import annotations

import numpy as np

from envs.batched import Array
from envs.single import single_face
from envs.spaces import interval
from envs.toy import ToyEnv
from envs.values import Info
from utils.needs import CONTINUOUS

START = np.array([[0.0, 0.0], [3.0, 2.0]])  # iota of the paper


def alignment(positions: Array, angles: Array) -> Array:
    """J_i = a_i . u_i - 1, where u_i points at where the other one arrives. (n, 2, 2) -> (n, 2)

    0 is perfect, -2 is walking straight away.
    """
    headings = np.stack([np.cos(angles), np.sin(angles)], axis=-1)  # (n, 2, 2)
    arrived = positions + headings
    towards = arrived[:, ::-1] - positions
    distance = np.linalg.norm(towards, axis=-1, keepdims=True)
    return (headings * towards / np.maximum(distance, 1e-9)).sum(axis=-1) - 1


class MeetUpBatch(ToyEnv):
    """Two agents choose headings (an action in [-1, 1] is an angle in units of pi) and step by 1.

    The reward is the mean of both J_i. Episodes last `episode_limit` steps, or until the walkers
    are within 1 of each other, which the info calls `solved`.
    """

    action_kind = CONTINUOUS
    n_agents, n_actions, state_size, obs_size = 2, 1, 4, 4
    extra_info = {
        "action_spaces": [interval(-1.0, 1.0)] * 2,
        "actions_dtype": np.float32,
        "normalise_actions": False,
    }

    def __init__(self, n_envs: int, episode_limit: int = 10, random_start: bool = False) -> None:
        self._random_start = random_start
        self._positions = np.tile(START, (n_envs, 1, 1))  # (B, 2, 2)
        super().__init__(n_envs, episode_limit)

    def start(self, row: int, random: np.random.Generator) -> None:
        self._positions[row] = random.uniform(-4, 4, (2, 2)) if self._random_start else START

    def play(self, rows: Array, actions: Array) -> tuple[Array, Array, list[Info]]:
        angles = np.pi * actions[:, :, 0].astype(float)  # (n, 2)
        reward = alignment(self._positions[rows], angles).mean(axis=1)
        headings = np.stack([np.cos(angles), np.sin(angles)], axis=-1)
        self._positions[rows] += headings
        apart = self._positions[rows, 0] - self._positions[rows, 1]
        solved = np.linalg.norm(apart, axis=-1) < 1
        return reward, solved, [{"solved": bool(met)} for met in solved]

    def observe(self, rows: Array) -> None:
        """Both agents see all positions, their own first."""
        positions = self._positions[rows].astype(np.float32)
        self.state[rows] = positions.reshape(-1, 4)
        self.obs[rows, 0] = positions.reshape(-1, 4)
        self.obs[rows, 1] = positions[:, ::-1].reshape(-1, 4)


MeetUp = single_face(MeetUpBatch)
