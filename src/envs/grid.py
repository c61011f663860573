"""A tiny grid world: all agents must stand on the goal. Walls make moves unavailable."""

from __future__ import annotations

import numpy as np

from envs.batched import Array
from envs.single import single_face
from envs.toy import ToyEnv
from envs.values import Info
from utils.errors import UserError

MOVES = np.array([[0, 0], [0, 1], [0, -1], [1, 0], [-1, 0]])  # stay, up, down, right, left
MOST_CELLS, MOST_AGENTS = 10_000, 1_000  # a side, and on the grid: more is a slip of the keyboard


class GridBatch(ToyEnv):
    """N agents on a square of `size` x `size` cells, one of them the goal; all start at random.

    An agent sees its own cell, and the way to the goal if that is at most `sight` cells off in
    both directions. Reward -0.05 a step and 1 when all stand on the goal, which ends the episode
    and which the info calls `solved`.
    """

    n_actions, obs_size = len(MOVES), 5
    action_names = ("stays", "goes up", "goes down", "goes right", "goes left")
    STEP_COST, PRIZE = -0.05, 1.0

    def __init__(
        self,
        n_envs: int,
        size: int = 4,
        n_agents: int = 2,
        sight: int = 2,
        episode_limit: int = 20,
    ) -> None:
        if not (2 <= size <= MOST_CELLS and 1 <= n_agents <= MOST_AGENTS and sight >= 0):
            raise UserError(
                f"grid: size={size}, n_agents={n_agents}, sight={sight}; it needs a size of 2 to "
                f"{MOST_CELLS:,}, 1 to {MOST_AGENTS:,} agents, and a sight that is not negative."
            )
        self.size, self.n_agents, self.sight = size, n_agents, sight
        self.state_size = 2 * n_agents + 2
        self._cells = np.zeros((n_envs, n_agents, 2), np.int64)  # (B, N, 2)
        self._goal = np.zeros((n_envs, 2), np.int64)  # (B, 2)
        super().__init__(n_envs, episode_limit)

    def start(self, row: int, random: np.random.Generator) -> None:
        self._goal[row] = random.integers(self.size, size=2)
        self._cells[row] = random.integers(self.size, size=(self.n_agents, 2))

    def play(self, rows: Array, actions: Array) -> tuple[Array, Array, list[Info]]:
        moved = self._cells[rows] + MOVES[actions]  # (n, N, 2)
        self._cells[rows] = moved.clip(0, self.size - 1)
        solved = (self._cells[rows] == self._goal[rows, None]).all(axis=(1, 2))
        reward = self.STEP_COST + self.PRIZE * solved
        return reward, solved, [{"solved": bool(done)} for done in solved]

    def observe(self, rows: Array) -> None:
        cells, goal = self._cells[rows], self._goal[rows]
        n, scale = len(rows), float(self.size)
        self.state[rows] = np.concatenate([cells.reshape(n, -1), goal], axis=1) / scale
        way = goal[:, None] - cells  # (n, N, 2)
        seen = (abs(way) <= self.sight).all(axis=2, keepdims=True)  # (n, N, 1)
        self.obs[rows] = np.concatenate([cells / scale, seen, seen * way / scale], axis=2)
        after = cells[:, :, None] + MOVES  # (n, N, A, 2)
        self.avail[rows] = ((after >= 0) & (after < self.size)).all(axis=3)


Grid = single_face(GridBatch)
