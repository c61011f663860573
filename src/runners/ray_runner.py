"""`runner: ray`: each environment is an actor of a Ray cluster, wherever that has room."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from envs.vector.ray_actors import RayActors
from envs.vector.workers import Workplace
from machine.ray_cluster import connect
from runners.parallel_runner import ParallelRunner


class RayRunner(ParallelRunner):
    def make_workplace(
        self, builders: Sequence[Callable[[], Any]], seeds: Sequence[int]
    ) -> Workplace:
        return RayActors(connect(self.args.ray_address), builders, seeds)
