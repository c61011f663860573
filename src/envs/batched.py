"""Many copies of one task behind one face: what the rollout loop drives.

Three things wear this face: a batched environment that steps all copies in one call, a list of
single environments in this process, and worker processes (`envs/vector/`). The loop cannot tell.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar

import numpy as np

from envs.values import EnvInfo, Info

Array = np.ndarray


@dataclass
class Step:
    """What came of one step of n rows; every array is in the order of the rows that were given."""

    reward: Array  # (n,) float32
    ended: Array  # (n,) bool: the episode is over
    terminated: Array  # (n,) bool: over because the task ended, not by a time limit; no bootstrap
    lost: Array  # (n,) bool: the environment broke; the episode must not be used
    # n dictionaries, read where the episode ended; "episode_limit": True where time ended it.
    infos: list[Info] = field(default_factory=list)


class BatchedEnv:
    """B copies ("rows") of one task.

    `state`, `obs` and `avail` always hold the present situation of every row; they may be written
    in place by `reset` and `step`, so whoever keeps a value copies it.
    """

    action_kind: ClassVar[str | None] = None  # as in `MultiAgentEnv`
    n_envs: int
    state: Array  # (B, S) float32
    obs: Array  # (B, N, O) float32
    avail: Array  # (B, N, A) bool or uint8
    last_failure: dict[int, str]  # row -> why its environment broke, for rows that did
    reseeds: bool = True  # whether an episode depends on its seed alone

    def get_env_info(self) -> EnvInfo:
        """As `MultiAgentEnv.get_env_info`."""
        raise NotImplementedError

    def reset(self, rows: Array, seeds: Array) -> Array:
        """Start an episode in `rows` (n,), each from its own seed. Returns (n,) bool: lost."""
        raise NotImplementedError

    def step(self, rows: Array, actions: Array) -> Step:
        """Step `rows` (n,) with `actions` (n, N) integers or (n, N, A) floats."""
        raise NotImplementedError

    def save_replay(self) -> list[str | None]:
        """The files that the rows wrote."""
        raise NotImplementedError(f"{type(self).__name__} saves no replays.")

    def render(self) -> None:
        """Show the present situation of row 0."""
        raise NotImplementedError(f"{type(self).__name__} cannot be rendered.")

    def close(self) -> None:
        """Release what the environments hold."""
