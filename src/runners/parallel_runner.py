"""`runner: parallel`: each environment has a process of its own."""

from __future__ import annotations

from functools import partial
from typing import Any

from envs.batched import BatchedEnv
from envs.build import make_env
from envs.vector.workers import WorkerVector
from runners.rollout import RolloutRunner


class ParallelRunner(RolloutRunner):
    def make_vector(self, n_envs: int, seeds: list[int]) -> BatchedEnv:
        args = self.args
        builders = [
            partial(build_in_worker, args.plugins, args.env, args.env_args, s) for s in seeds
        ]
        return WorkerVector(builders, seeds, args.env_start_timeout, args.env_step_timeout)


def build_in_worker(plugins: list[str], env: str, env_args: dict[str, Any], seed: int) -> Any:
    """Plugins register environments, so the worker imports them first."""
    if plugins:
        from utils.config.plugins import load_plugins

        load_plugins(plugins)
    return make_env(env, env_args, seed)
