"""The statistics beside rliable's, where it is installed: pip install 'pandas<3' rliable==1.2.0."""

from __future__ import annotations

import numpy as np
import pytest

from reporting.statistics import improvement, interquartile_mean, iqm, profile

pytest.importorskip("rliable")

from rliable import library, metrics

RUNS, TASKS, REPEATS = 10, 3, 2000
BOOTSTRAP_ERROR = 0.02  # of a percentile, between two sets of 2,000 samples


@pytest.fixture(scope="module")
def scores() -> tuple[np.ndarray, np.ndarray]:
    """Two algorithms, (runs, tasks); rounded, so that some runs are level."""
    random = np.random.default_rng(3)
    return tuple(random.beta(a, 2, size=(RUNS, TASKS)).round(1) for a in (2, 3))  # type: ignore


def test_interquartile_means_are_equal(scores: tuple[np.ndarray, np.ndarray]) -> None:
    for each in scores:
        assert interquartile_mean(list(each.T)) == pytest.approx(metrics.aggregate_iqm(each))


def test_intervals_agree(scores: tuple[np.ndarray, np.ndarray]) -> None:
    ours = iqm(list(scores[0].T))
    values, intervals = library.get_interval_estimates(
        {"x": scores[0]}, lambda x: np.array([metrics.aggregate_iqm(x)]), reps=REPEATS,
        random_state=np.random.RandomState(1),
    )  # fmt: skip

    assert ours.value == pytest.approx(values["x"][0])
    assert [ours.low, ours.high] == pytest.approx(intervals["x"][:, 0], abs=BOOTSTRAP_ERROR)


def test_probabilities_of_improvement_agree(scores: tuple[np.ndarray, np.ndarray]) -> None:
    ours = improvement(list(scores[1].T), list(scores[0].T))
    values, intervals = library.get_interval_estimates(
        {"x,y": scores[::-1]}, metrics.probability_of_improvement, reps=REPEATS,
        random_state=np.random.RandomState(1),
    )  # fmt: skip

    assert ours.value == pytest.approx(float(values["x,y"]))
    assert [ours.low, ours.high] == pytest.approx(intervals["x,y"].ravel(), abs=BOOTSTRAP_ERROR)


def test_performance_profiles_agree(scores: tuple[np.ndarray, np.ndarray]) -> None:
    levels = np.linspace(0, 1, 7)
    share, low, high = profile(list(scores[0].T), levels)
    theirs, bands = library.create_performance_profile({"x": scores[0]}, levels, reps=REPEATS)

    assert share == pytest.approx(theirs["x"])
    assert np.stack([low, high]) == pytest.approx(bands["x"], abs=2 * BOOTSTRAP_ERROR)
