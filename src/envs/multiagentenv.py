"""What an environment must offer: PyMARL's interface, plus optional additions."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import ClassVar

import numpy as np

from envs.batched import BatchedEnv
from envs.values import Actions, Choices, EnvInfo, Info


@dataclass(frozen=True)
class RunFacts:
    """What an environment's preflight found out."""

    head: str  # for the first line of the run's output
    details: str  # for a line of their own below
    record: dict[str, object]  # for the run's record
    warnings: list[str] = field(default_factory=list)


class MultiAgentEnv:
    """One task, stepped alone. `docs/environments.md` walks through writing your own.

    Optional additions to PyMARL's contract:

    * `reseed(seed)`: make the next `reset()` depend on `seed` alone. With it, crashed episodes can
      be replayed, parallel runs equal serial ones, and resumed runs are exact. Where the seed
      decides only a part, say so: `reseed_is_exact = False`.
    * `batched`: a `BatchedEnv` class that steps many copies at once, for `runner: batched`.
    * `action_kind`: "discrete" or "continuous", a class attribute. Where it is said, a learner
      that needs the other kind is refused before anything starts.
    * `own_process`: True where a step waits for something outside its process, as a game, so that
      environments that share a process would wait for each other.
    * `preflight(env_args, n_envs) -> RunFacts`, a class method: checked before a run starts, in
      the main process. It raises a UserError if that run cannot work.
    """

    n_agents: int
    episode_limit: int
    batched: ClassVar[Callable[..., BatchedEnv] | None] = None
    action_kind: ClassVar[str | None] = None
    own_process: ClassVar[bool] = False

    def step(self, actions: Actions) -> tuple[float, bool, Info]:
        """(reward, terminated, info). `info["episode_limit"] = True` marks an end by time limit."""
        raise NotImplementedError

    def reset(self) -> object:
        """Start an episode; the return value is ignored."""
        raise NotImplementedError

    def get_obs(self) -> list[np.ndarray]:
        """The observations of all agents."""
        return [self.get_obs_agent(agent) for agent in range(self.n_agents)]

    def get_obs_agent(self, agent_id: int) -> np.ndarray:
        raise NotImplementedError

    def get_obs_size(self) -> int:
        raise NotImplementedError

    def get_state(self) -> np.ndarray:
        raise NotImplementedError

    def get_state_size(self) -> int:
        raise NotImplementedError

    def get_avail_actions(self) -> Sequence[Choices]:
        """For each agent a list of 0/1 over its actions."""
        return [self.get_avail_agent_actions(agent) for agent in range(self.n_agents)]

    def get_avail_agent_actions(self, agent_id: int) -> Choices:
        return [1] * self.get_total_actions()

    def get_total_actions(self) -> int:
        raise NotImplementedError

    def get_env_info(self) -> EnvInfo:
        """Sizes. Continuous environments add `action_spaces` (see `envs.spaces.Box`)."""
        return {
            "state_shape": self.get_state_size(),
            "obs_shape": self.get_obs_size(),
            "n_actions": self.get_total_actions(),
            "n_agents": self.n_agents,
            "episode_limit": self.episode_limit,
        }

    def get_stats(self) -> Mapping[str, object]:
        return {}

    def seed(self) -> object:
        """The seed in force, as SMAC has it; to set one, implement `reseed`."""
        return None

    def render(self) -> object:
        raise NotImplementedError(f"{type(self).__name__} cannot be rendered.")

    def save_replay(self) -> str | None:
        """Write the latest episodes; returns the file, which is copied to results/replays."""
        raise NotImplementedError(f"{type(self).__name__} saves no replays.")

    def close(self) -> None:
        """Release what the environment holds."""
