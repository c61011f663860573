"""What actions there are, without a package."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Box:
    """One agent's actions: from `low` to `high` in every component, both of shape (A,)."""

    low: np.ndarray
    high: np.ndarray

    @property
    def shape(self) -> tuple[int, ...]:
        return self.low.shape


def interval(low: float, high: float, size: int = 1) -> Box:
    """The same bounds in every component."""
    return Box(np.full(size, low, np.float32), np.full(size, high, np.float32))


@dataclass(frozen=True)
class Discrete:
    """One agent's choices: `start`, `start` + 1, ..., as Gymnasium's space has them."""

    n: int
    start: int = 0
    shape: tuple[int, ...] = ()
