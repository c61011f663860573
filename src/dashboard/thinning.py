"""Curves with fewer points that look the same: peaks and dips stay."""

from __future__ import annotations

from itertools import pairwise

import numpy as np

from reporting.series import Array

MOST = 800  # points of a curve on a page


def kept(values: Array, most: int = MOST) -> Array:
    """Indices, in order: the ends, and of every bucket in between its lowest and highest value."""
    count = len(values)
    if count <= most:
        return np.arange(count)
    edges = np.linspace(1, count - 1, (most - 2) // 2 + 1).astype(int)
    low, high = np.where(np.isfinite(values), values, [[np.inf], [-np.inf]])
    inner = [
        start + found
        for start, end in pairwise(edges)
        for found in (np.argmin(low[start:end]), np.argmax(high[start:end]))
    ]
    return np.unique([0, *inner, count - 1])
