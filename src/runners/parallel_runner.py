"""`runner: parallel`: each environment has a process of its own."""

from __future__ import annotations

from functools import partial

from envs.batched import BatchedEnv
from envs.build import make_env_in_worker
from envs.vector.workers import WorkerVector
from runners.rollout import RolloutRunner


class ParallelRunner(RolloutRunner):
    def make_vector(self, n_envs: int, seeds: list[int]) -> BatchedEnv:
        args = self.args
        builders = [
            partial(make_env_in_worker, args.plugins, args.env, args.env_args, s) for s in seeds
        ]
        return WorkerVector(builders, seeds, args.env_start_timeout, args.env_step_timeout)
