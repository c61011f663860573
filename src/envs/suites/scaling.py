"""Observations and states of mean 0 and spread 1, by numbers that are fixed before training.

They are measured over random steps from a fixed seed, so every worker, every test and every resumed
run has the same ones, and nothing has to be kept up to date or saved.
"""

from __future__ import annotations

import numpy as np

from envs.batched import Array
from envs.check import draw_actions
from envs.multiagentenv import MultiAgentEnv
from envs.vector.rows import begin

STEPS = 5000
FURTHEST = 10.0  # scaled numbers are cut at this
LEAST_SPREAD = 1e-3  # what hardly varies is not blown up


class Scaling:
    """Mean and spread of each number of `obs` (T, N, O) and `states` (T, S)."""

    def __init__(self, obs: Array, states: Array) -> None:
        self._obs, self._states = _moments(obs), _moments(states)

    def apply(self, obs: Array, state: Array) -> tuple[Array, Array]:
        return _scaled(obs, *self._obs), _scaled(state, *self._states)


def measure(env: MultiAgentEnv) -> Scaling:
    """Of random play in `env`."""
    random = np.random.default_rng(0)
    info, ended = env.get_env_info(), True
    obs, states = [], []
    for step in range(STEPS):
        if ended:
            begin(env, step)
        _, ended, _ = env.step(draw_actions(env, info, random))
        obs.append(np.array(env.get_obs()))
        states.append(np.array(env.get_state()))
    return Scaling(np.array(obs), np.array(states))


def _moments(values: Array) -> tuple[Array, Array]:
    mean, spread = values.mean(axis=0), values.std(axis=0)
    spread[spread < LEAST_SPREAD] = 1.0
    return mean.astype(np.float32), spread.astype(np.float32)


def _scaled(values: Array, mean: Array, spread: Array) -> Array:
    return np.clip((values - mean) / spread, -FURTHEST, FURTHEST).astype(np.float32)
