"""`runner: episode`: the environments live in this process."""

from __future__ import annotations

from functools import partial

from envs.batched import BatchedEnv
from envs.build import is_batch_of_one, make_batched, make_env
from envs.vector.checked import CheckedBatch
from envs.vector.in_process import InProcessVector
from runners.vector_runner import VectorRunner


class EpisodeRunner(VectorRunner):
    """A single environment that is a batch of one (`envs.single`) is played as the batch it is."""

    def make_vector(self, n_envs: int, seeds: list[int]) -> BatchedEnv:
        name, env_args = self.args.env, self.args.env_args
        if n_envs == 1 and is_batch_of_one(name):
            return CheckedBatch(partial(make_batched, name, env_args, n_envs))
        return InProcessVector([partial(make_env, name, env_args, seed) for seed in seeds])
