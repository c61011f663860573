"""What is used of other packages' environments: Gymnasium's, and PettingZoo's parallel ones."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import numpy as np

from envs.values import Info

# A space of theirs, or one of `envs.spaces`. They are told apart by the names of their classes, as
# Gymnasium may be missing, so what else a space has is known only there.
Space = Any
Native = int | np.ndarray  # one agent's action as its space has it
Shown = Mapping[str, object]  # by agent: what it observes
Infos = Mapping[str, Info]  # by agent
Paid = float | Sequence[float]  # to one agent, or to each
Ended = bool | Sequence[bool]


class ParallelEnv(Protocol):
    """Of PettingZoo: dictionaries with an entry for each agent that is still there."""

    possible_agents: list[str]
    agents: list[str]

    def observation_space(self, agent: str) -> Space: ...

    def action_space(self, agent: str) -> Space: ...

    def reset(self, *, seed: int) -> tuple[Shown, Infos]: ...

    def step(
        self, actions: dict[str, Native]
    ) -> tuple[Shown, Mapping[str, float], Mapping[str, bool], Mapping[str, bool], Infos]:
        """Observations, rewards, terminated, truncated, infos."""

    def state(self) -> np.ndarray: ...

    def render(self) -> np.ndarray: ...

    def close(self) -> None: ...


class GymnasiumEnv(Protocol):
    """Of Gymnasium: tuples with an entry for each agent, or the things themselves for one."""

    observation_space: Space
    action_space: Space
    unwrapped: Any  # the package's own object, whose inside only its own `Game` knows

    def reset(self, *, seed: int) -> tuple[Any, Info]: ...

    def step(self, action: Native | tuple[Native, ...]) -> tuple[Any, Paid, Ended, Ended, Info]:
        """Observation, reward, terminated, truncated, info."""

    def render(self) -> np.ndarray: ...

    def close(self) -> None: ...
