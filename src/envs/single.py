"""The single face of a batched environment: a batch of one."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import ClassVar

import numpy as np

from envs.batched import BatchedEnv
from envs.multiagentenv import MultiAgentEnv
from envs.values import Actions, EnvInfo, Info

ROW = np.zeros(1, dtype=np.int64)


def single_face(batched_class: type[BatchedEnv]) -> type[MultiAgentEnv]:
    """A MultiAgentEnv class that steps one row of `batched_class`."""
    name = batched_class.__name__.removesuffix("Batch")
    batched = inspect.signature(batched_class).parameters.values()
    seed = inspect.Parameter("seed", inspect.Parameter.KEYWORD_ONLY, default=None)
    own = [p.replace(kind=seed.kind) for p in batched if p.name != "n_envs"]
    fields = {
        "__signature__": inspect.Signature([*own, seed]),
        "batched": batched_class,
        "action_kind": batched_class.action_kind,
        "__doc__": batched_class.__doc__,
        "__module__": batched_class.__module__,
    }
    if hasattr(batched_class, "preflight"):
        fields["preflight"] = batched_class.preflight
    return type(name, (SingleFace,), fields)


class SingleFace(MultiAgentEnv):
    """Without `reseed`, resets run through the seeds that follow from the constructor's."""

    batched: ClassVar[Callable[..., BatchedEnv]]

    def __init__(self, seed: int | None = None, **env_args: object) -> None:
        self._env: BatchedEnv = self.batched(n_envs=1, **env_args)
        self._info = self._env.get_env_info()
        self._seeds = np.random.default_rng(seed)
        self._next_seed: int | None = None
        self.n_agents = self._info["n_agents"]
        self.episode_limit = self._info["episode_limit"]

    def reseed(self, seed: int) -> None:
        """Make the next `reset()` depend on `seed` alone."""
        self._next_seed = seed

    def reset(self) -> tuple[list[np.ndarray], np.ndarray]:
        seed = self._next_seed
        self._next_seed = None
        if seed is None:
            seed = int(self._seeds.integers(2**31))
        self._env.reset(ROW, np.array([seed]))
        return self.get_obs(), self.get_state()

    def step(self, actions: Actions) -> tuple[float, bool, Info]:
        step = self._env.step(ROW, np.asarray(actions)[None])
        return float(step.reward[0]), bool(step.ended[0]), step.infos[0]

    def get_obs_agent(self, agent_id: int) -> np.ndarray:
        return self._env.obs[0, agent_id].copy()

    def get_obs_size(self) -> int:
        return self._info["obs_shape"]

    def get_state(self) -> np.ndarray:
        return self._env.state[0].copy()

    def get_state_size(self) -> int:
        return self._info["state_shape"]

    def get_avail_agent_actions(self, agent_id: int) -> list[int]:
        return self._env.avail[0, agent_id].astype(int).tolist()

    def get_total_actions(self) -> int:
        return self._info["n_actions"]

    def get_env_info(self) -> EnvInfo:
        return self._info

    def render(self) -> None:
        self._env.render()

    def save_replay(self) -> str | None:
        return self._env.save_replay()[0]

    def close(self) -> None:
        self._env.close()
