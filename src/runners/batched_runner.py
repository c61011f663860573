"""`runner: batched`: one environment steps all episodes at once."""

from __future__ import annotations

from functools import partial

from envs.batched import BatchedEnv
from envs.build import make_batched, no_batched_face
from envs.vector.checked import CheckedBatch
from runners.vector_runner import VectorRunner
from utils.needs import Given, Needs


def batched_face(runner: type, given: Given) -> None:
    """Asked again by `make_batched`, where the environment's class was not known yet."""
    if given.environment is not None and getattr(given.environment, "batched", None) is None:
        raise no_batched_face(given["env"])


class BatchedRunner(VectorRunner):
    needs = Needs(demands=(batched_face,))

    def make_vector(self, n_envs: int, seeds: list[int]) -> BatchedEnv:
        return CheckedBatch(partial(make_batched, self.args.env, self.args.env_args, n_envs))
