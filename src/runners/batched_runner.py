"""`runner: batched`: one environment steps all episodes at once."""

from __future__ import annotations

from functools import partial

from envs.batched import BatchedEnv
from envs.build import make_batched
from envs.vector.checked import CheckedBatch
from runners.rollout import RolloutRunner


class BatchedRunner(RolloutRunner):
    def make_vector(self, n_envs: int, seeds: list[int]) -> BatchedEnv:
        return CheckedBatch(partial(make_batched, self.args.env, self.args.env_args, n_envs))
