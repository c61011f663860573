"""Against numbers worked out by hand, and rliable where it is installed."""

from __future__ import annotations

import numpy as np
import pytest

from reporting.statistics import Estimate, curve_iqm, improvement, iqm, pointwise, profile


def test_the_middle_half() -> None:
    scores = [np.array([0.0, 1.0, 2.0, 3.0]), np.array([10.0, 11.0, 12.0, 100.0])]

    assert iqm(scores).value == (2 + 3 + 10 + 11) / 4
    assert iqm([np.array([1.0, 5.0, 6.0])]).value == 4.0  # a quarter of three is nothing


def test_two_runs_have_the_interval_that_can_be_counted() -> None:
    """Resamples of (0, 1) have means 0, 1/2, 1 with chances 1/4, 1/2, 1/4."""
    estimate = iqm([np.array([0.0, 1.0])])

    assert estimate == Estimate(0.5, 0.0, 1.0)


def test_a_single_run_has_no_interval() -> None:
    assert not iqm([np.array([3.0])]).has_interval
    assert not improvement([np.array([3.0])], [np.array([1.0, 2.0])]).has_interval


def test_improvement_counts_pairs_and_halves_ties() -> None:
    ours, theirs = np.array([1.0, 2.0, 3.0]), np.array([2.0, 0.0])
    # pairs won: (1,0) (2,0) (3,2) (3,0); tie: (2,2)
    assert improvement([ours], [theirs]).value == pytest.approx(4.5 / 6)
    assert improvement([ours, ours], [theirs, ours]).value == pytest.approx((4.5 / 6 + 0.5) / 2)


def test_improvement_is_complementary() -> None:
    random = np.random.default_rng(1)
    x, y = ([random.random(5) for _ in range(3)] for _ in range(2))

    assert improvement(x, y).value + improvement(y, x).value == pytest.approx(1)


def test_profiles_fall_from_all_to_none() -> None:
    scores = [np.array([0.2, 0.6]), np.array([0.5, 0.5])]
    share, low, high = profile(scores, np.array([0.0, 0.3, 0.5, 0.6]))

    assert share.tolist() == [1.0, 0.75, 0.25, 0.0]
    assert ((low <= share) & (share <= high)).all()


def test_curves_are_resampled_whole() -> None:
    """With two constant curves every resample is constant as well."""
    curves = np.stack([np.zeros(7), np.ones(7)])
    middle, low, high = pointwise(curves, curve_iqm)

    assert middle.tolist() == [0.5] * 7
    assert (low.tolist(), high.tolist()) == ([0.0] * 7, [1.0] * 7)


def test_intervals_hold_the_truth_as_often_as_they_say() -> None:
    """Of 200 samples of 20 normal runs about 95 % of the intervals hold the mean."""
    random = np.random.default_rng(0)
    hits = 0
    for _ in range(200):
        estimate = iqm([random.normal(size=20)])
        hits += estimate.low <= 0 <= estimate.high
    assert 0.86 < hits / 200 < 0.99


def test_equal_to_rliable() -> None:
    metrics = pytest.importorskip("rliable.metrics", reason="pip install rliable==1.2.0 'pandas<3'")
    random = np.random.default_rng(2)
    x, y = random.random((9, 4)), random.random((9, 4))  # (runs, tasks)

    assert iqm(list(x.T)).value == pytest.approx(metrics.aggregate_iqm(x))
    assert improvement(list(x.T), list(y.T)).value == pytest.approx(
        metrics.probability_of_improvement(x, y)
    )
