"""Predators that must learn to surround prey. They act in forces, and see what is near."""

from __future__ import annotations

import numpy as np

from envs.animation import Screen
from envs.batched import Array, Step
from envs.particle.prey import Prey
from envs.particle.render import film
from envs.particle.world import STRENGTH, find_scenario, move, touches
from envs.single import single_face
from envs.spaces import interval
from envs.toy import ToyEnv, nothing_to_say
from envs.values import Info
from utils.errors import UserError
from utils.needs import CONTINUOUS

REWARD = 10.0  # for each pair of predator and prey that touch, to the whole team


class ParticleBatch(ToyEnv):
    """FACMAC's tasks and keys; an episode always lasts `episode_limit` steps.

    A predator sees: its velocity and place; relative places of landmarks and of all others; the
    velocities of prey. What is farther off than `agent_view_radius` is 0, unless `partial_obs` is
    False. The state is all observations.
    """

    action_kind = CONTINUOUS
    n_actions = 2

    def __init__(
        self,
        n_envs: int,
        scenario_name: str = "continuous_pred_prey_3a",
        episode_limit: int = 25,
        agent_view_radius: float = 1.5,
        score_function: str = "min",
        partial_obs: bool = True,
        replay_format: str = "gif",
        replay_dir: str = "",
    ) -> None:
        if agent_view_radius < 0:
            raise UserError(
                f"agent_view_radius is {agent_view_radius}; it must be 0 or more. "
                "partial_obs=False shows everything."
            )
        self.scenario = s = find_scenario(scenario_name)
        self._prey = Prey(s, score_function)
        self._view = agent_view_radius if partial_obs else np.inf
        self._screen = Screen(s.name, replay_dir, replay_format)
        self.n_agents = N = s.n_predators
        self._n_entities = E = s.n_movers + s.n_landmarks
        self.obs_size = 4 + 2 * (E - 1) + 2 * s.n_prey
        self.state_size = N * self.obs_size
        self.extra_info = {
            "action_spaces": [interval(-1.0, 1.0, self.n_actions)] * N,
            "actions_dtype": np.float32,
            "normalise_actions": False,
        }
        self._places = np.zeros((n_envs, E, 2))
        self._velocities = np.zeros((n_envs, s.n_movers, 2))
        self._seeds = np.zeros(n_envs, np.uint64)  # of what prey draws
        self._order = _seen_order(N, s.n_movers, E)
        self._history: list[Array] = []  # places of row 0 in the present episode
        super().__init__(n_envs, episode_limit)

    def start(self, row: int, random: np.random.Generator) -> None:
        M = self.scenario.n_movers
        self._places[row, :M] = random.uniform(-1, 1, (M, 2))
        self._places[row, M:] = random.uniform(-0.9, 0.9, (self._n_entities - M, 2))
        self._velocities[row] = 0
        self._seeds[row] = random.integers(2**63)
        if row == 0:
            self._history = [self._places[0].copy()]

    def play(self, rows: Array, actions: Array) -> tuple[Array, Array, list[Info]]:
        places, velocities = self._places[rows], self._velocities[rows]
        fleeing = self._prey.forces(places, self._seeds[rows], self._t[rows])
        move(
            self.scenario,
            places,
            velocities,
            np.concatenate([STRENGTH * actions.astype(float), fleeing], axis=1),
        )
        self._places[rows], self._velocities[rows] = places, velocities
        reward = REWARD * touches(self.scenario, places)
        return reward, np.zeros(len(rows), bool), nothing_to_say(rows)

    def step(self, rows: Array, actions: Array) -> Step:
        step = super().step(rows, actions)
        if (rows == 0).any():
            self._history.append(self._places[0].copy())
        return step

    def observe(self, rows: Array) -> None:
        s, places, velocities = self.scenario, self._places[rows], self._velocities[rows]
        n, N = len(rows), self.n_agents
        way = places[:, None] - places[:, :N, None]  # (n, N, E, 2)
        seen = np.sqrt(np.square(way).sum(axis=3)) <= self._view  # (n, N, E)
        way = np.take_along_axis(way * seen[..., None], self._order[None, :, :, None], axis=2)
        prey = slice(N, s.n_movers)
        speeds = velocities[:, None, prey] * seen[:, :, prey, None]  # (n, N, prey, 2)
        parts = [velocities[:, :N], places[:, :N], way.reshape(n, N, -1), speeds.reshape(n, N, -1)]
        self.obs[rows] = np.concatenate(parts, axis=2)
        self.state[rows] = self.obs[rows].reshape(n, -1)

    def save_replay(self) -> list[str | None]:
        """An animation of the latest episode of row 0."""
        return [self._screen.save(film(self.scenario, self._history), self.scenario.name)]

    def render(self) -> None:
        """The hunt in row 0, in a window."""
        self._screen.show(film(self.scenario, self._history[-1:])[0])


def _seen_order(N: int, M: int, E: int) -> Array:
    """Whose relative places a predator is shown: landmarks, then all movers but itself. (N, E-1)"""
    return np.array(
        [[*range(M, E), *(other for other in range(M) if other != own)] for own in range(N)]
    )


Particle = single_face(ParticleBatch)
