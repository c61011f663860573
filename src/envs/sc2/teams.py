"""SMACv2's draws of teams and places, made to follow a seed."""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np


class Teams:
    """SMACv2 draws from unseeded generators and from python's global one. SMAC draws nothing."""

    def __init__(self, env: object) -> None:
        self._drawing: list[object] = list(getattr(env, "env_key_to_distribution_map", {}).values())

    @contextmanager
    def __call__(self, seed: int | None) -> Iterator[None]:
        """Draws inside follow `seed`, and disturb no other stream."""
        if not self._drawing or seed is None:
            yield
            return
        for position, distribution in enumerate(self._drawing):
            _reseed(distribution, [seed, position])
        earlier = random.getstate()
        random.seed(seed)
        try:
            yield
        finally:
            random.setstate(earlier)


def _reseed(distribution: object, seed: list[int]) -> None:
    """Every generator in it, and in the distributions that it is made of."""
    parts = vars(distribution)
    for position, (name, part) in enumerate(sorted(parts.items())):
        if isinstance(part, np.random.Generator):
            setattr(distribution, name, np.random.default_rng([*seed, position]))
        elif hasattr(part, "generate"):
            _reseed(part, [*seed, position])
