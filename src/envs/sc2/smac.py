"""What is used of SMAC's and SMACv2's objects, which stay as they are."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

import numpy as np

from envs.values import Actions, Choices, EnvInfo, Info


class SMACEnv(Protocol):
    """The environment of either package."""

    def reset(self) -> object: ...

    def step(self, actions: Actions) -> tuple[float, bool, Info]: ...

    def get_obs(self) -> list[np.ndarray]: ...

    def get_obs_agent(self, agent_id: int) -> np.ndarray: ...

    def get_obs_size(self) -> int: ...

    def get_state(self) -> np.ndarray: ...

    def get_state_size(self) -> int: ...

    def get_avail_actions(self) -> Sequence[Choices]: ...

    def get_avail_agent_actions(self, agent_id: int) -> Choices: ...

    def get_total_actions(self) -> int: ...

    def get_env_info(self) -> EnvInfo: ...

    def get_stats(self) -> Mapping[str, object]: ...

    def render(self, mode: str) -> object: ...

    def save_replay(self) -> None: ...

    def close(self) -> None: ...


class Unit(Protocol):
    """A unit as the game tells of it."""

    health_max: float
    shield_max: float


class Controller(Protocol):
    """pysc2's end of the game."""

    status_ended: bool


class RunConfig(Protocol):
    """pysc2's, by which games are started and replays are written."""

    cwd: str | None
    env: Mapping[str, str] | None
    save_replay: Callable[..., str]

    def abs_replay_path(self, replay_dir: str) -> str: ...


class Raw(Protocol):
    """The part of an observation that counts the game's loops."""

    game_loop: int


class Observation(Protocol):
    """What the game says after a step."""

    observation: Raw


class Core(Protocol):
    """SMAC's own environment, also inside SMACv2's; with what it keeps to itself."""

    max_reward: float
    battles_game: int
    enemies: Mapping[int, Unit]
    full_restart: Callable[[], None]
    _seed: int | None
    _step_mul: int
    _controller: Controller
    _obs: Observation
    _run_config: RunConfig
