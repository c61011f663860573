"""Continuous tasks in which the best action depends on what the others do, to a known degree.

Their payoffs are the team's. Where the cross-derivative of two agents' actions is negative, both
correct the same error and together too much; where it is positive, each raises the other's worth.
"""

from __future__ import annotations

import numpy as np

from envs.batched import Array
from envs.hashing import uniform
from envs.single import single_face
from envs.spaces import interval
from envs.team_game import seed_of
from envs.toy import ToyEnv, nothing_to_say
from envs.values import EnvInfo, Info
from utils.errors import UserError
from utils.needs import CONTINUOUS

SIGNS = SAME, MIXED = ("same", "mixed")


class CoupledBatch(ToyEnv):
    """Each agent's action is a number from -1 to 1."""

    action_kind = CONTINUOUS
    n_actions = 1

    def __init__(self, n_envs: int, n_agents: int, episode_limit: int) -> None:
        if n_agents < 1:
            raise UserError(f"n_agents is {n_agents}; there must be at least 1.")
        self.n_agents = n_agents
        self.extra_info: EnvInfo = {
            "action_spaces": [interval(-1.0, 1.0)] * n_agents,
            "actions_dtype": np.float32,
            "normalise_actions": False,
        }
        super().__init__(n_envs, episode_limit)


class HitSumBatch(CoupledBatch):
    """All see a target t and the team gets -(sum of all actions - t)^2, in one move.

    The cross-derivative of any two actions is -2, as is each one's own second derivative: agents
    that each mend the whole error overshoot N times.
    """

    state_size, obs_size = 1, 1

    def __init__(self, n_envs: int, n_agents: int = 3) -> None:
        self._targets = np.zeros(n_envs)
        super().__init__(n_envs, n_agents, episode_limit=1)

    def begin(self, rows: Array, seeds: Array) -> None:
        self._targets[rows] = (uniform(seeds, 1, stream=0)[:, 0] - 0.5) * self.n_agents

    def play(self, rows: Array, actions: Array) -> tuple[Array, Array, list[Info]]:
        error = actions[:, :, 0].astype(float).sum(axis=1) - self._targets[rows]
        return -(error**2), np.ones(len(rows), bool), nothing_to_say(rows)

    def observe(self, rows: Array) -> None:
        self.state[rows, 0] = self._targets[rows]
        self.obs[rows] = self.state[rows, None]


class QuadraticBatch(CoupledBatch):
    """All see N targets c and the team gets -d'C d / 2 with d = a - c, in one move.

    C is 1 on its diagonal and `coupling` beside it, with signs drawn for each pair from
    `payoff_seed` if they are `mixed`. Above 0 agents correct each other's errors too much, below 0
    one's error makes another's worse. C must be positive definite, so that c is the optimum.
    """

    def __init__(
        self,
        n_envs: int,
        n_agents: int = 3,
        coupling: float = 0.4,
        signs: str = SAME,
        payoff_seed: int | None = None,
    ) -> None:
        if signs not in SIGNS:
            raise UserError(f"quadratic: signs={signs}; they can be {' or '.join(SIGNS)}.")
        self.state_size = self.obs_size = n_agents
        self._targets = np.zeros((n_envs, n_agents))
        super().__init__(n_envs, n_agents, episode_limit=1)
        self.curvature = curvature_of(n_agents, coupling, signs, seed_of(payoff_seed))  # (N, N)

    def begin(self, rows: Array, seeds: Array) -> None:
        self._targets[rows] = uniform(seeds, self.n_agents, stream=0) - 0.5

    def play(self, rows: Array, actions: Array) -> tuple[Array, Array, list[Info]]:
        apart = actions[:, :, 0] - self._targets[rows]  # (n, N)
        reward = -0.5 * ((apart @ self.curvature) * apart).sum(axis=1)
        return reward, np.ones(len(rows), bool), nothing_to_say(rows)

    def observe(self, rows: Array) -> None:
        self.state[rows] = self._targets[rows]
        self.obs[rows] = self.state[rows, None]


def curvature_of(n_agents: int, coupling: float, signs: str, seed: int) -> Array:
    """C of a quadratic game. (N, N)"""
    drawn = np.random.default_rng(seed).choice([-1.0, 1.0], (n_agents, n_agents))
    pairs = np.triu(drawn if signs == MIXED else np.ones_like(drawn), k=1)
    curvature = np.eye(n_agents) + coupling * (pairs + pairs.T)
    least = float(np.linalg.eigvalsh(curvature)[0])
    if least <= 0:
        raise UserError(
            f"quadratic: with coupling={coupling} {n_agents} agents have no optimum (the least "
            f"curvature is {least:.2f}). Take it nearer to 0: between -1 / (n_agents - 1) and 1 "
            "for signs=same, within 1 / (n_agents - 1) of 0 for any signs."
        )
    return curvature


class PushBatch(CoupledBatch):
    """Agents push a block along a line to its goal at 0; the sum of their actions is the force.

    Each step: velocity <- 0.8 velocity + 0.2 force, place <- place + 0.2 velocity, and the team
    gets -place^2. The info calls it `solved` if the block rests at the goal in the end.
    """

    state_size, obs_size = 2, 2
    FRICTION, STRENGTH, STEP = 0.8, 0.2, 0.2
    NEAR = 0.1  # of place and velocity

    def __init__(self, n_envs: int, n_agents: int = 3, episode_limit: int = 25) -> None:
        self._block = np.zeros((n_envs, 2))  # place, velocity
        super().__init__(n_envs, n_agents, episode_limit)

    def begin(self, rows: Array, seeds: Array) -> None:
        self._block[rows, 0] = 2 * uniform(seeds, 1, stream=0)[:, 0] - 1
        self._block[rows, 1] = 0.0

    def play(self, rows: Array, actions: Array) -> tuple[Array, Array, list[Info]]:
        place, velocity = self._block[rows].T
        velocity = self.FRICTION * velocity + self.STRENGTH * actions[:, :, 0].sum(axis=1)
        self._block[rows] = block = np.stack([place + self.STEP * velocity, velocity], axis=1)
        solved = np.asarray((abs(block) < self.NEAR).all(axis=1))
        over = np.zeros(len(rows), bool)  # time ends the episode, and nothing else
        return -(block[:, 0] ** 2), over, [{"solved": bool(each)} for each in solved]

    def observe(self, rows: Array) -> None:
        self.state[rows] = self._block[rows]
        self.obs[rows] = self.state[rows, None]


HitSum = single_face(HitSumBatch)
Quadratic = single_face(QuadraticBatch)
Push = single_face(PushBatch)
