"""One metric of one run."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

Array = np.ndarray


class Series(NamedTuple):
    """In the order of its steps."""

    steps: Array  # (n,) environment steps
    values: Array  # (n,)
    seconds: Array  # (n,) since the run began; NaN where nobody wrote it down


def series(steps: npt.ArrayLike, values: npt.ArrayLike, seconds: npt.ArrayLike) -> Series:
    """In the order of the steps, whatever order they came in."""
    at, what = np.asarray(steps, np.int64), np.asarray(values, np.float64)
    when = np.asarray(seconds, np.float64)
    if not at.shape == what.shape == when.shape == (len(at),):
        raise ValueError(f"{len(at)} steps, {len(what)} values, {len(when)} times")
    order = np.argsort(at, kind="stable")
    return Series(at[order], what[order], when[order])
