"""Games of one or two moves whose optimum is known, and which some learners must miss."""

from __future__ import annotations

import numpy as np

from envs.batched import Array
from envs.single import single_face
from envs.spaces import interval
from envs.toy import ToyEnv, nothing_to_say
from envs.values import Info
from utils.errors import UserError
from utils.needs import CONTINUOUS


class MatrixGameBatch(ToyEnv):
    """Two agents choose a row and a column; both see a constant. Each step pays the entry."""

    n_agents, state_size, obs_size = 2, 2, 2

    def __init__(self, n_envs: int, payoff: Array, episode_limit: int = 1) -> None:
        self.payoff = np.asarray(payoff, np.float32)  # (A, A)
        self.n_actions = len(self.payoff)
        super().__init__(n_envs, episode_limit)

    def play(self, rows: Array, actions: Array) -> tuple[Array, Array, list[Info]]:
        reward = self.payoff[actions[:, 0], actions[:, 1]]
        return reward, self._t[rows] + 1 >= self.episode_limit, nothing_to_say(rows)

    def observe(self, rows: Array) -> None:
        self.state[rows] = 1.0
        self.obs[rows] = 1.0


class ClimbingBatch(MatrixGameBatch):
    """Optimum 11, guarded by -30 on both sides; 7 and 5 are safer."""

    def __init__(self, n_envs: int, episode_limit: int = 1) -> None:
        super().__init__(n_envs, np.array([[11, -30, 0], [-30, 7, 0], [0, 6, 5]]), episode_limit)


class PenaltyBatch(MatrixGameBatch):
    """Two optima of 10 that must not be mixed up (penalty k); 2 is safe."""

    def __init__(self, n_envs: int, k: float = -100.0, episode_limit: int = 1) -> None:
        super().__init__(n_envs, np.array([[k, 0, 10], [0, 2, 0], [10, 0, k]]), episode_limit)


class NonmonotonicBatch(MatrixGameBatch):
    """Optimum 8 beside -12; no sum or monotonic mixture of utilities can represent the payoffs."""

    def __init__(self, n_envs: int, episode_limit: int = 1) -> None:
        payoff = np.array([[-12, 0, 0], [-12, 0, 0], [8, -12, -12]])
        super().__init__(n_envs, payoff, episode_limit)


class PermutationBatch(ToyEnv):
    """As many actions as agents; a step pays 1 if no two agents do the same.

    There are N! optima, and who sees nothing of the others must have agreed on one of them.
    """

    state_size, obs_size = 2, 2

    def __init__(self, n_envs: int, n_agents: int = 3, episode_limit: int = 1) -> None:
        if n_agents < 2:
            raise UserError(f"n_agents is {n_agents}; a permutation takes at least 2.")
        self.n_agents = self.n_actions = n_agents
        super().__init__(n_envs, episode_limit)

    def play(self, rows: Array, actions: Array) -> tuple[Array, Array, list[Info]]:
        distinct = (np.diff(np.sort(actions, axis=1), axis=1) > 0).all(axis=1)
        return distinct.astype(float), self._t[rows] + 1 >= self.episode_limit, nothing_to_say(rows)

    def observe(self, rows: Array) -> None:
        self.state[rows] = 1.0
        self.obs[rows] = 1.0


class TwoStepBatch(ToyEnv):
    """QMIX's two-step game: agent 1's first action picks the matrix of the second step.

    2A pays 7 always; 2B pays [[0, 1], [1, 8]]. A sum of utilities cannot represent 2B, so IQL and
    VDN settle for 7; QMIX finds 8 (Rashid et al. 2018, Section 5.1). All agents see the state.
    """

    n_agents, n_actions, state_size, obs_size = 2, 2, 3, 3
    PAYOFF = np.array([[[7, 7], [7, 7]], [[0, 1], [1, 8]]], np.float32)  # 2A, 2B

    def __init__(self, n_envs: int) -> None:
        self._stage = np.zeros(n_envs, np.int64)  # 0: first step, 1: 2A, 2: 2B
        super().__init__(n_envs, episode_limit=2)

    def start(self, row: int, random: np.random.Generator) -> None:
        self._stage[row] = 0

    def play(self, rows: Array, actions: Array) -> tuple[Array, Array, list[Info]]:
        stage = self._stage[rows]
        second = stage > 0
        paid = self.PAYOFF[np.maximum(stage - 1, 0), actions[:, 0], actions[:, 1]]
        self._stage[rows] = np.where(second, stage, 1 + actions[:, 0])
        return np.where(second, paid, 0.0), second, nothing_to_say(rows)

    def observe(self, rows: Array) -> None:
        self.state[rows] = np.eye(3, dtype=np.float32)[self._stage[rows]]
        self.obs[rows] = self.state[rows, None]


class ContinuousMatrixGameBatch(ToyEnv):
    """FACMAC's continuous matrix game: a shallow bowl with a narrow ridge along x = y > 0.

    Off the ridge the reward is -0.1 (x^2 + y^2), whose top is 0 at (0, 0). Within 0.01 of x = y it
    is higher by 0.1 + x + y, and on it by 1 + x + y: the optimum is 2.8 at (1, 1).
    """

    action_kind = CONTINUOUS
    n_agents, n_actions, state_size, obs_size = 2, 1, 5, 5
    RIDGE = 0.01
    extra_info = {
        "action_spaces": [interval(-1.0, 1.0)] * 2,
        "actions_dtype": np.float32,
        "normalise_actions": False,
    }

    def __init__(self, n_envs: int) -> None:
        super().__init__(n_envs, episode_limit=1)

    def play(self, rows: Array, actions: Array) -> tuple[Array, Array, list[Info]]:
        x, y = actions[:, 0, 0].astype(float), actions[:, 1, 0].astype(float)
        on_ridge = (abs(x - y) < self.RIDGE) & (x > 0) & (y > 0)
        bonus = np.where(x == y, 1.0, 0.1) + x + y
        reward = -0.1 * (x**2 + y**2) + np.where(on_ridge, bonus, 0.0)
        infos = [{"x": float(a), "y": float(b)} for a, b in zip(x, y, strict=True)]
        return reward, np.ones(len(rows), bool), infos

    def observe(self, rows: Array) -> None:
        self.state[rows] = 1.0
        self.obs[rows] = 1.0


Climbing = single_face(ClimbingBatch)
Penalty = single_face(PenaltyBatch)
Nonmonotonic = single_face(NonmonotonicBatch)
Permutation = single_face(PermutationBatch)
TwoStep = single_face(TwoStepBatch)
ContinuousMatrixGame = single_face(ContinuousMatrixGameBatch)
