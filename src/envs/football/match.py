"""The package's old Gym interface as a `Game`: four values from `step`, seeds in its settings."""

from __future__ import annotations

import pkgutil
from collections.abc import Sequence

import numpy as np

from envs.batched import Array
from envs.spaces import Discrete, interval
from envs.suites.foreign import Native
from envs.suites.games import Turn
from envs.suites.packages import need, versions
from utils.errors import UserError, did_you_mean

TOO_NEW = (0, 26)  # of gym: its wrappers expect five values from `step`
WIDTH, HEIGHT = 640, 360  # pixels of a picture


class Match:
    """Each agent is one player of the left team; the package plays all others."""

    def __init__(self, scenario: str, n_agents: int, seen: bool, **options: object) -> None:
        package = need("gfootball.env")
        check_gym()
        check_scenario(scenario)
        if seen:
            size = {"render_resolution_x": WIDTH, "render_resolution_y": HEIGHT}
            options |= {"render": True, "other_config_options": size}
        self.env = package.create_environment(
            env_name=scenario, number_of_left_players_agent_controls=n_agents, **options
        )
        self._n_agents = n_agents
        choices = self.env.action_space
        n_actions = int(choices.nvec[0] if n_agents > 1 else choices.n)
        obs_size = self.env.observation_space.shape[-1]
        self.observation_spaces = [interval(-np.inf, np.inf, obs_size)] * n_agents
        self.action_spaces = [Discrete(n_actions)] * n_agents

    def reset(self, seed: int) -> list[Array]:
        """The seed is written where the package would write a number of its own, for good."""
        settings = self.env.unwrapped._config
        settings["game_engine_random_seed"] = seed
        settings["reverse_team_processing"] = bool(seed % 2)
        return self._observations(self.env.reset())

    def step(self, actions: Sequence[Native]) -> Turn:
        """The package's end is the task's: a goal, a lost ball, or the end of its match."""
        obs, reward, done, info = self.env.step([int(action) for action in actions])
        rewards = np.atleast_1d(np.asarray(reward, float)).tolist()
        return Turn(self._observations(obs), rewards, bool(done), False, info)

    def _observations(self, obs: object) -> list[Array]:
        return list(np.asarray(obs, np.float32).reshape(self._n_agents, -1))

    def state(self) -> None:
        """Training sees all observations; each holds the whole field."""

    def masks(self) -> None:
        """All actions are always available."""

    def render(self) -> Array:
        return self.env.unwrapped.render(mode="rgb_array")

    def close(self) -> None:
        self.env.close()


def check_gym() -> None:
    """pip takes a gym that is too new for the package."""
    found = versions(["gym"]).get("gym", "0.25.2")
    if tuple(map(int, found.split(".")[:2])) >= TOO_NEW:
        raise UserError(f"gfootball cannot work with gym {found}. Type: pip install gym==0.25.2")


def check_scenario(name: str) -> None:
    """The package would end the program at a name that it has not."""
    folder = need("gfootball.scenarios").__path__
    known = sorted(module.name for module in pkgutil.iter_modules(folder) if not module.ispkg)
    if name not in known:
        raise UserError(
            f"Unknown map_name '{name}' for env=gfootball.{did_you_mean(name, known)} "
            f"Known: {', '.join(known)}."
        )
