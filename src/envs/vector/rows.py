"""What both vectors of single environments share: the arrays, and how a row is filled."""

from __future__ import annotations

from typing import Any

import numpy as np

Fields = dict[str, tuple[tuple[int, ...], Any]]  # name -> shape, dtype


def fields_for(info: dict[str, Any], n_envs: int) -> Fields:
    """The arrays that describe `n_envs` rows and one step of them."""
    B, N, A = n_envs, info["n_agents"], info["n_actions"]
    continuous = bool(info.get("action_spaces"))
    return {
        "state": ((B, *as_shape(info["state_shape"])), np.float32),
        "obs": ((B, N, *as_shape(info["obs_shape"])), np.float32),
        "avail": ((B, N, A), np.uint8),
        "actions": ((B, N, A), np.float32) if continuous else ((B, N), np.int64),
        "reward": ((B,), np.float32),
        "ended": ((B,), np.bool_),
        "terminated": ((B,), np.bool_),
    }


def as_shape(size: Any) -> tuple[int, ...]:
    """Sizes are given as a number or as a shape."""
    return (int(size),) if isinstance(size, int | np.integer) else tuple(size)


def look(env: Any, arrays: dict[str, np.ndarray], row: int) -> None:
    """Write the present situation of `env` into its row."""
    arrays["state"][row] = env.get_state()
    arrays["obs"][row] = env.get_obs()
    arrays["avail"][row] = env.get_avail_actions()


def begin(env: Any, seed: int) -> None:
    """Start an episode, from `seed` alone where the environment can do that."""
    if hasattr(env, "reseed"):
        env.reseed(seed)
    env.reset()
