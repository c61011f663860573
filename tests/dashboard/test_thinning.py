"""Thinned curves keep what the eye sees."""

from __future__ import annotations

import numpy as np
import pytest

from dashboard.thinning import kept


def test_few_points_all_stay() -> None:
    assert kept(np.arange(50.0), most=50).tolist() == list(range(50))


def test_ends_peaks_and_dips_stay() -> None:
    values = np.zeros(10_000)
    values[1234], values[8765] = 5.0, -3.0
    chosen = kept(values, most=100)
    assert {0, 1234, 8765, 9999} <= set(chosen.tolist())
    assert len(chosen) <= 100
    assert (np.diff(chosen) > 0).all()


def test_a_gap_hides_no_peak() -> None:
    values = np.full(1000, np.nan)
    values[500] = 1.0
    assert 500 in kept(values, most=20)


@pytest.mark.parametrize("infinity", [np.inf, -np.inf])
def test_an_infinite_value_hides_no_peak(infinity: float) -> None:
    values = np.zeros(5000)
    values[2499], values[2500], values[2501] = infinity, 7.0, -7.0
    assert {2500, 2501} <= set(kept(values, most=20).tolist())
