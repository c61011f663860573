"""Random numbers as a function of a seed and an index, for many seeds in one call.

A row's numbers are the same alone and in any batch, and no generator has to be kept or saved.
The mixing is SplitMix64's.
"""

from __future__ import annotations

import numpy as np

from envs.batched import Array

STEP = np.uint64(0x9E3779B97F4A7C15)
FIRST = np.uint64(0xBF58476D1CE4E5B9)
SECOND = np.uint64(0x94D049BB133111EB)


def uniform(seeds: Array, count: int, stream: int | Array) -> Array:
    """(n, count) float32 in [0, 1) for seeds (n,); a stream, one or (n,), has its own numbers."""
    streams = np.atleast_1d(np.asarray(stream)).astype(np.uint64)
    start = _mix(seeds.astype(np.uint64) + _mix(streams * STEP))
    bits = _mix(start[:, None] + np.arange(1, count + 1, dtype=np.uint64) * STEP)
    return (bits >> np.uint64(40)).astype(np.float32) * np.float32(2.0**-24)


def _mix(z: Array) -> Array:
    z = (z ^ (z >> np.uint64(30))) * FIRST
    z = (z ^ (z >> np.uint64(27))) * SECOND
    return z ^ (z >> np.uint64(31))
