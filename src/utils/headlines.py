"""Which metric says most about a run: the same on the live line, in curves, lists and reports."""

from __future__ import annotations

from collections.abc import Container

HEADLINES = ("test_battle_won_mean", "test_solved_mean", "test_return_mean", "return_mean")
RATES = ("won_mean", "solved_mean")


def headline(known: Container[str], wanted: str | None = None) -> str | None:
    """`wanted` (a run's `best_metric`) where it is among the `known`, else the first headline."""
    if wanted is not None and wanted in known:
        return wanted
    return next((name for name in HEADLINES if name in known), None)


def is_rate(metric: str) -> bool:
    """From 0 to 1, and so comparable between tasks as it is."""
    return metric.endswith(RATES)
