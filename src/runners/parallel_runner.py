"""`runner: parallel`: environments live in processes of this machine, which they share."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from envs.batched import BatchedEnv
from envs.build import make_env_in_worker, n_processes
from envs.vector.processes import Processes
from envs.vector.workers import WorkerVector, Workplace
from runners.vector_runner import VectorRunner


class ParallelRunner(VectorRunner):
    def make_vector(self, n_envs: int, seeds: list[int]) -> BatchedEnv:
        args = self.args
        builders = [
            partial(make_env_in_worker, args.plugins, args.env, args.env_args, s) for s in seeds
        ]
        workplace = self.make_workplace(builders, seeds)
        return WorkerVector(workplace, args.env_start_timeout, args.env_step_timeout)

    def make_workplace(
        self, builders: Sequence[Callable[[], Any]], seeds: Sequence[int]
    ) -> Workplace:
        args = self.args
        return Processes(builders, seeds, n_processes(args.env, len(seeds), args.env_processes))
