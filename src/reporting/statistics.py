"""Statistics for few runs, as Agarwal et al. (2021, "Deep RL at the edge of the statistical
precipice") ask for them: interquartile means, stratified bootstrap intervals, probability of
improvement, performance profiles.

Scores are one array of runs for each task, as runs of different tasks need not be equally many.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np

from reporting.series import Array

Scores = Sequence[Array]  # for each task, (runs,)

RESAMPLINGS = 2000
LEVEL = 0.95


class Estimate(NamedTuple):
    """A number with its interval; without one where there is a single run."""

    value: float
    low: float = np.nan
    high: float = np.nan

    @property
    def has_interval(self) -> bool:
        return bool(np.isfinite(self.low))


def interquartile_mean(scores: Scores) -> float:
    """Mean of the middle half of all runs of all tasks."""
    return float(_trimmed(np.concatenate(list(scores))[None])[0])


def _trimmed(rows: Array) -> Array:
    """(samples, runs) -> (samples,); a quarter, rounded down, is cut off each end."""
    cut = rows.shape[1] // 4
    return np.sort(rows, axis=1)[:, cut : rows.shape[1] - cut].mean(axis=1)


def iqm(scores: Scores, seed: int = 0) -> Estimate:
    """Interquartile mean with a percentile interval of the stratified bootstrap."""
    value = interquartile_mean(scores)
    if not _repeated(scores):
        return Estimate(value)
    samples = np.concatenate([_resampled(runs, seed, i) for i, runs in enumerate(scores)], axis=1)
    return Estimate(value, *_percentiles(_trimmed(samples)))


def improvement(ours: Scores, theirs: Scores, seed: int = 0) -> Estimate:
    """How probable it is that a run of ours beats one of theirs: mean over tasks, ties are half."""
    value = _beats(ours, theirs)
    if not (_repeated(ours) and _repeated(theirs)):
        return Estimate(value)
    tasks = len(ours)
    samples = np.mean(
        [
            _wins(_resampled(x, seed, i)[:, :, None], _resampled(y, seed, tasks + i)[:, None])
            for i, (x, y) in enumerate(zip(ours, theirs, strict=True))
        ],
        axis=0,
    )  # (resamplings,)
    return Estimate(value, *_percentiles(samples))


def _beats(ours: Scores, theirs: Scores) -> float:
    pairs = zip(ours, theirs, strict=True)
    return float(np.mean([_wins(x[None, :, None], y[None, None])[0] for x, y in pairs]))


def _wins(x: Array, y: Array) -> Array:
    """(samples,) share of pairs that x wins."""
    return ((x > y) + 0.5 * (x == y)).mean(axis=(1, 2))


def profile(scores: Scores, levels: Array, seed: int = 0) -> tuple[Array, Array, Array]:
    """For each level the share of runs above it (mean over tasks), and its interval."""
    share = _shares([runs[None] for runs in scores], levels)[0]
    if not _repeated(scores):
        return share, np.full_like(share, np.nan), np.full_like(share, np.nan)
    samples = _shares([_resampled(runs, seed, i) for i, runs in enumerate(scores)], levels)
    low, high = np.quantile(samples, _tails(), axis=0)
    return share, low, high


def _shares(samples: Sequence[Array], levels: Array) -> Array:
    """Tasks of (samples, runs) -> (samples, levels)."""
    return np.mean(
        [(task[:, :, None] > levels[None, None]).mean(axis=1) for task in samples], axis=0
    )


def pointwise(curves: Array, of: Callable[[Array], Array], seed: int = 0) -> tuple[Array, ...]:
    """Value and interval of a statistic at every point of (runs, points) curves: 3 x (points,)."""
    value = of(curves[None])[0]
    if len(curves) < 2:
        return value, np.full_like(value, np.nan), np.full_like(value, np.nan)
    chosen = np.random.default_rng(seed).integers(len(curves), size=(RESAMPLINGS, len(curves)))
    blocks = [of(curves[part]) for part in np.array_split(chosen, 20)]  # whole curves, in parts
    low, high = np.quantile(np.concatenate(blocks), _tails(), axis=0)
    return value, low, high


def curve_iqm(curves: Array) -> Array:
    """(samples, runs, points) -> (samples, points)."""
    cut = curves.shape[1] // 4
    return np.sort(curves, axis=1)[:, cut : curves.shape[1] - cut].mean(axis=1)


def _repeated(scores: Scores) -> bool:
    """A task with one run says nothing of the spread."""
    return all(len(runs) > 1 for runs in scores)


def _resampled(runs: Array, seed: int, stratum: int) -> Array:
    """(RESAMPLINGS, runs) drawn with replacement within one task."""
    random = np.random.default_rng([seed, stratum])
    return runs[random.integers(len(runs), size=(RESAMPLINGS, len(runs)))]


def _tails() -> tuple[float, float]:
    return (1 - LEVEL) / 2, (1 + LEVEL) / 2


def _percentiles(samples: Array) -> tuple[float, float]:
    low, high = np.quantile(samples, _tails())
    return float(low), float(high)
