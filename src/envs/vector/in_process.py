"""A list of single environments in this process."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from envs.batched import Array, BatchedEnv, Step
from envs.step_result import normalise_step
from envs.values import EnvInfo, Info
from envs.vector.rows import (
    Build,
    Place,
    begin,
    explain,
    fields_for,
    look,
    private_arrays,
    reseeds,
    sizes_of,
)
from machine.resources import as_memory_allows


class InProcessVector(BatchedEnv):
    """An environment that raises is closed and built anew at the next reset of its row."""

    def __init__(self, builders: Sequence[Build]) -> None:
        self._builders = builders
        self.n_envs = len(builders)
        self._envs: list[Any] = [None] * self.n_envs  # None where one is to be built
        try:
            for row, build in enumerate(as_memory_allows(builders, self.n_envs)):
                self._envs[row] = build()
            self._info = sizes_of(self._envs[0])
        except BaseException:
            self.close()
            raise
        self.reseeds = reseeds(self._envs[0])
        self._arrays = private_arrays(fields_for(self._info, self.n_envs))
        self._places = [Place(self._arrays, row) for row in range(self.n_envs)]
        self.state, self.obs = self._arrays["state"], self._arrays["obs"]
        self.avail = self._arrays["avail"]
        self.last_failure: dict[int, str] = {}  # row -> traceback

    def get_env_info(self) -> EnvInfo:
        return self._info

    def reset(self, rows: Array, seeds: Array) -> Array:
        jobs = zip(rows.tolist(), seeds.tolist(), strict=True)
        return np.array([not self._attempt(row, self._reset, seed) for row, seed in jobs], bool)

    def step(self, rows: Array, actions: Array) -> Step:
        infos: dict[int, Info] = {}
        jobs = zip(rows.tolist(), actions, strict=True)
        lost = np.array([not self._attempt(row, self._step, a, infos) for row, a in jobs], bool)
        arrays = self._arrays
        return Step(
            reward=arrays["reward"][rows],
            ended=arrays["ended"][rows] & ~lost,
            terminated=arrays["terminated"][rows] & ~lost,
            lost=lost,
            infos=[infos.get(row, {}) for row in rows.tolist()],
        )

    def render(self) -> None:
        self._envs[0].render()

    def save_replay(self) -> list[str | None]:
        return [env.save_replay() for env in self._envs]

    def close(self) -> None:
        for row in range(self.n_envs):
            self._discard(row)

    def _reset(self, row: int, seed: int) -> None:
        if self._envs[row] is None:
            self._envs[row] = self._builders[row]()
        begin(self._envs[row], seed)
        look(self._envs[row], self._places[row])

    def _step(self, row: int, actions: Array, infos: dict[int, Info]) -> None:
        env, arrays = self._envs[row], self._arrays
        reward, ended, terminated, infos[row] = normalise_step(env.step(actions))
        arrays["reward"][row], arrays["ended"][row] = reward, ended
        arrays["terminated"][row] = terminated
        look(env, self._places[row])

    def _attempt(self, row: int, action: Callable[..., None], *details: object) -> bool:
        """Whether `action` went well; if not, the environment is gone and its traceback kept."""
        try:
            action(row, *details)
        except (Exception, SystemExit) as error:
            self.last_failure[row] = explain(error)
            self._discard(row)
            return False
        return True

    def _discard(self, row: int) -> None:
        env, self._envs[row] = self._envs[row], None
        if env is not None:
            with contextlib.suppress(Exception, SystemExit):  # it is broken, or we are leaving
                env.close()
