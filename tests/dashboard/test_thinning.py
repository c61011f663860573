"""Thinned curves keep what the eye sees."""

from __future__ import annotations

import numpy as np

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
