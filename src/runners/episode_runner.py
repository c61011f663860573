"""`runner: episode`: the environments live in this process."""

from __future__ import annotations

from functools import partial

from envs.batched import BatchedEnv
from envs.build import make_env
from envs.vector.in_process import InProcessVector
from runners.rollout import RolloutRunner


class EpisodeRunner(RolloutRunner):
    def make_vector(self, n_envs: int, seeds: list[int]) -> BatchedEnv:
        args = self.args
        return InProcessVector([partial(make_env, args.env, args.env_args, s) for s in seeds])
