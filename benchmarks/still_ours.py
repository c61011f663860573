"""`Still` in this tree: a plugin that registers it, with a batched face."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
from still import Still, draw, info_of

from envs import REGISTRY
from envs.batched import Array, BatchedEnv, Step


class StillBatch(BatchedEnv):
    """All rows in one array for each step; episodes are as long as the limit."""

    def __init__(self, n_envs: int, **sizes: Any) -> None:
        self._args = SimpleNamespace(**sizes)
        self.n_envs = n_envs
        self._drawn = draw(self._args.episode_limit + 1, n_envs, args=self._args)
        self.last_failure = {}
        self._show(0)

    def get_env_info(self) -> dict[str, Any]:
        return info_of(self._args)

    def reset(self, rows: Array, seeds: Array) -> Array:
        self._show(0)
        return np.zeros(len(rows), bool)

    def step(self, rows: Array, actions: Array) -> Step:
        self._show(self._t + 1)
        n = len(rows)
        over = self._t == self._args.episode_limit
        return Step(
            reward=np.full(n, 0.1, np.float32),
            ended=np.full(n, over),
            terminated=np.zeros(n, bool),
            lost=np.zeros(n, bool),
            infos=[{"episode_limit": over}] * n,
        )

    def _show(self, t: int) -> None:
        self._t = t
        self.obs, self.state, self.avail = (field[t] for field in self._drawn)


class StillHere(Still):
    """Registered by name, with its batched face."""

    batched = StillBatch


REGISTRY["still"] = StillHere
