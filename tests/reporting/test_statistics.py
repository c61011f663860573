"""The statistics beside numbers worked out by hand."""

from __future__ import annotations

import numpy as np
import pytest

from reporting.statistics import (
    curve_iqm,
    improvement,
    interquartile_mean,
    iqm,
    pointwise,
    profile,
)

FEW = np.array([0.0, 0.2, 0.4, 1.0])
MORE = np.array([0.1, 0.2, 0.3, 0.5])


def test_the_middle_half_of_one_task() -> None:
    assert interquartile_mean([FEW]) == pytest.approx(0.3)  # (0.2 + 0.4) / 2


def test_the_middle_half_of_all_runs_together() -> None:
    # 0 .1 | .2 .2 .3 .4 | .5 1
    assert interquartile_mean([FEW, MORE]) == pytest.approx(1.1 / 4)


def test_a_quarter_is_rounded_down() -> None:
    assert interquartile_mean([np.array([0.0, 1.0, 5.0])]) == pytest.approx(2)
    assert interquartile_mean([np.array([0.0, 1.0, 2.0, 3.0, 100.0])]) == pytest.approx(2)


def test_one_run_has_no_interval() -> None:
    assert not iqm([np.array([0.5])]).has_interval
    assert not iqm([FEW, np.array([0.5])]).has_interval
    assert not improvement([FEW], [np.array([0.5])]).has_interval


def test_equal_runs_have_an_interval_of_no_width() -> None:
    assert iqm([np.full(5, 0.5)] * 2) == (0.5, 0.5, 0.5)


def test_the_bootstrap_of_two_runs_has_three_outcomes() -> None:
    """Both low, one of each, both high: 1/4, 1/2, 1/4."""
    assert iqm([np.array([0.0, 1.0])]) == (0.5, 0.0, 1.0)


def test_runs_are_drawn_within_their_task() -> None:
    """Tasks of equal runs leave nothing to chance, however far apart they are."""
    estimate = iqm([np.zeros(4), np.ones(4)])

    assert estimate == (0.5, 0.5, 0.5)


def test_improvement_counts_pairs_and_half_of_ties() -> None:
    # wins of FEW over MORE: 0 beats none; 0.2 beats 0.1 and ties; 0.4 beats three; 1 beats four
    assert improvement([FEW], [MORE]).value == pytest.approx((0 + 1.5 + 3 + 4) / 16)
    assert improvement([MORE], [FEW]).value == pytest.approx(1 - 8.5 / 16)


def test_improvement_is_the_mean_over_tasks() -> None:
    high, low = np.array([2.0, 3.0]), np.array([0.0, 1.0])

    assert improvement([high, low], [low, high]).value == 0.5
    assert improvement([high, high], [low, high]).value == 0.75


def test_the_profile_is_the_share_of_runs_above() -> None:
    share, low, high = profile([FEW, np.array([0.5, 0.5])], np.array([0.1, 0.4, 0.5]))

    assert share.tolist() == [(0.75 + 1) / 2, (0.25 + 1) / 2, 0.125]
    assert (low <= share).all()
    assert (share <= high).all()


def test_a_curve_takes_whole_runs_along() -> None:
    """Two runs that stay apart: at each point the interval reaches from one to the other."""
    curves = np.array([[0.0, 1.0, 2.0], [10.0, 11.0, 12.0]])  # (runs, points)
    middle, low, high = pointwise(curves, curve_iqm)

    assert middle.tolist() == [5, 6, 7]
    assert low.tolist() == [0, 1, 2]
    assert high.tolist() == [10, 11, 12]


def test_one_curve_has_no_band() -> None:
    middle, low, high = pointwise(np.array([[1.0, 2.0]]), curve_iqm)

    assert middle.tolist() == [1, 2]
    assert np.isnan([low, high]).all()
