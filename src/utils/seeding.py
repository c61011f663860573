"""Every random number of a run comes from its seed, through streams that do not disturb each other.

* The global streams (python, numpy, torch) serve training: acting, sampling, initialisation.
* Evaluation swaps its own global streams in and out, so how often it happens changes nothing.
* Each episode of each environment has a seed of its own, computed from counters, so a resumed run
  meets the episodes that it would have met.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TypedDict

import numpy as np
import torch
from torch import Tensor

TRAIN, TEST, SAMPLED = 0, 1, 2  # streams of episodes; the last: tests that act as in training


class RandomState(TypedDict):
    """The state of every global stream."""

    python: tuple[object, ...]
    numpy: tuple[str, Tensor, int, int, float]
    torch: Tensor
    cuda: list[Tensor]


def seed_everything(seed: int) -> None:
    """Seed python, numpy and torch (all devices)."""
    random.seed(seed)
    np.random.seed(seed % 2**32)
    torch.manual_seed(seed)


def derive_seed(seed: int, *path: int) -> int:
    """A 31-bit seed that depends on every number of `path` and on nothing else."""
    return int(np.random.SeedSequence([seed, *path]).generate_state(1)[0] >> 1)


def episode_seed(seed: int, stream: int, row: int, episode: int) -> int:
    """The seed of the `episode`-th episode of environment `row` in `stream` (TRAIN or TEST)."""
    return derive_seed(seed, stream, row, episode)


def capture_random_state() -> RandomState:
    """The state of every global stream, in plain types and tensors."""
    name, keys, *rest = np.random.get_state(legacy=True)
    assert isinstance(keys, np.ndarray)
    return {
        "python": random.getstate(),
        "numpy": (name, torch.from_numpy(keys.astype(np.int64)), *rest),
        "torch": torch.get_rng_state(),
        "cuda": torch.cuda.get_rng_state_all() if torch.cuda.is_initialized() else [],
    }


def restore_random_state(state: RandomState) -> None:
    """Put every global stream back to where `capture_random_state` saw it."""
    random.setstate(state["python"])
    name, keys, position, has_gauss, gauss = state["numpy"]
    keys_there = keys.numpy().astype(np.uint32)
    np.random.set_state((name, keys_there, position, has_gauss, gauss))
    torch.set_rng_state(state["torch"])
    if state["cuda"]:
        torch.cuda.set_rng_state_all(state["cuda"])


class RandomStream:
    """A second set of global streams, in force only inside `with stream.active():`."""

    def __init__(self, seed: int) -> None:
        with self._outer_state_kept():
            seed_everything(seed)
            self._state = capture_random_state()

    @contextmanager
    def active(self) -> Iterator[None]:
        """Run the block on this stream; the outer ones go on afterwards as if it never ran."""
        with self._outer_state_kept():
            restore_random_state(self._state)
            try:
                yield
            finally:
                self._state = capture_random_state()

    def state_dict(self) -> RandomState:
        return self._state

    def load_state_dict(self, state: RandomState) -> None:
        self._state = state

    @staticmethod
    @contextmanager
    def _outer_state_kept() -> Iterator[None]:
        outer = capture_random_state()
        try:
            yield
        finally:
            restore_random_state(outer)
