"""A batched environment of whatever origin, held to what single ones are held to."""

from __future__ import annotations

import contextlib
from collections.abc import Callable

import numpy as np

from envs.batched import Array, BatchedEnv, Step
from envs.step_result import WHAT_FITS
from envs.values import EnvInfo
from envs.vector.rows import explain, sizes_of, unheld


class CheckedBatch(BatchedEnv):
    """Rows are lost where float32 cannot hold what they show or pay; all are if it raises.

    One that has raised is closed and built anew at the next reset.
    """

    def __init__(self, build: Callable[[], BatchedEnv]) -> None:
        self._build = build
        self._env: BatchedEnv | None = build()
        self._info = sizes_of(self._env)
        self.n_envs, self.reseeds = self._env.n_envs, self._env.reseeds
        self.last_failure: dict[int, str] = {}

    def get_env_info(self) -> EnvInfo:
        return self._info

    def reset(self, rows: Array, seeds: Array) -> Array:
        try:
            if self._env is None:
                self._env = self._build()
            lost = self._env.reset(rows, seeds)
        except (Exception, SystemExit) as error:
            return self._lose_all(rows, error)
        self.last_failure.update(getattr(self._env, "last_failure", {}))
        return lost | self._look(self._env, rows)

    def step(self, rows: Array, actions: Array) -> Step:
        assert self._env is not None
        n = len(rows)
        try:
            step = self._env.step(rows, actions)
        except (Exception, SystemExit) as error:
            lost = self._lose_all(rows, error)
            return Step(np.zeros(n, np.float32), ~lost, ~lost, lost, [{}] * n)
        self.last_failure.update(getattr(self._env, "last_failure", {}))
        lost = step.lost | self._look(self._env, rows)
        reward = as_float32(step.reward)
        unpaid = ~np.isfinite(reward)
        for place in np.flatnonzero(unpaid).tolist():
            given = np.asarray(step.reward)[place]
            self.last_failure[int(rows[place])] = f"step() paid the reward {given}. {WHAT_FITS}"
        lost |= unpaid
        return Step(reward, step.ended & ~lost, step.terminated & ~lost, lost, step.infos)

    def save_replay(self) -> list[str | None]:
        assert self._env is not None
        return self._env.save_replay()

    def render(self) -> None:
        assert self._env is not None
        self._env.render()

    def close(self) -> None:
        env, self._env = self._env, None
        if env is not None:
            env.close()

    def _look(self, env: BatchedEnv, rows: Array) -> Array:
        """Take over what `env` shows; which of `rows` are lost by it. (n,)"""
        self.state, self.obs, self.avail = as_float32(env.state), as_float32(env.obs), env.avail
        lost = np.zeros(len(rows), bool)
        for what, held, given in (("state", self.state, env.state), ("obs", self.obs, env.obs)):
            if np.isfinite(held).all():
                continue
            bad = ~np.isfinite(held[rows].reshape(len(rows), -1)).all(axis=1)
            for row in rows[bad].tolist():
                self.last_failure[row] = unheld(what, np.asarray(given)[row], what == "obs")
            lost |= bad
        return lost

    def _lose_all(self, rows: Array, error: BaseException) -> Array:
        with contextlib.suppress(Exception, SystemExit):  # it is broken
            self.close()
        self.last_failure.update(dict.fromkeys(rows.tolist(), explain(error)))
        return np.ones(len(rows), bool)


def as_float32(values: Array) -> Array:
    """The same array, if it is float32 already."""
    if isinstance(values, np.ndarray) and values.dtype == np.float32:
        return values
    with np.errstate(over="ignore"):
        return np.asarray(values, np.float32)
