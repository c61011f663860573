"""The live line, curves, lists and reports speak of the same metric."""

from __future__ import annotations

import logging
import math
from types import SimpleNamespace
from typing import Any

import pytest

from training.evaluation import read_result
from training.outcome import with_error
from utils.headlines import headline, is_rate
from utils.logging import Logger

TESTED = {"test_return_mean": 2.0, "test_return_std": 3.0, "test_ep_length_mean": 40.0}
SOLVED = {**TESTED, "test_solved_mean": 0.5}
WON = {**SOLVED, "test_battle_won_mean": 0.8}


def session(measured: dict[str, float], best_metric: str | None) -> Any:
    """A run whose last test has measured that, over 25 episodes."""
    logger = Logger(logging.getLogger("pymarlk"))
    for key, value in {"return_mean": 1.0, **measured}.items():
        logger.log_stat(key, value, 100)
    args = SimpleNamespace(best_metric=best_metric, test_nepisode=25)
    return SimpleNamespace(args=args, logger=logger, t_env=100)


@pytest.mark.parametrize("best_metric", [None, "test_ep_length_mean", "test_return_mean"])
@pytest.mark.parametrize("measured", [TESTED, SOLVED, WON])
def test_the_live_line_shows_what_curves_show(
    measured: dict[str, float], best_metric: str | None
) -> None:
    shown = read_result(session(measured, best_metric))

    assert shown.metric == headline(measured, best_metric)
    assert shown.value == measured[shown.metric]


def test_a_best_metric_that_a_run_lacks_is_passed_over() -> None:
    assert headline(WON, "test_dead_allies_mean") == "test_battle_won_mean"
    assert headline({"loss"}) is None


@pytest.mark.parametrize(
    ("best_metric", "error"),
    [
        (None, math.sqrt(0.8 * 0.2 / 25)),
        ("test_solved_mean", math.sqrt(0.5 * 0.5 / 25)),
        ("test_return_mean", 3.0 / 5),
        ("test_ep_length_mean", None),  # nobody logs how much lengths differ
    ],
)
def test_the_standard_error_is_that_of_the_metric(
    best_metric: str | None, error: float | None
) -> None:
    shown = read_result(session(WON, best_metric))

    assert shown.spread == pytest.approx(error)
    assert ("±" in str(shown)) == (error is not None)


def test_what_is_behind_plus_minus_is_said() -> None:
    shown = read_result(session(TESTED, None))

    assert with_error(shown, 25) == "test return 2.00 ±0.60 (standard error over 25 episodes)"
    lengths = read_result(session(TESTED, "test_ep_length_mean"))
    assert with_error(lengths, 25) == "test ep length 40.00 (over 25 episodes)"


def test_rates_are_known_by_their_names() -> None:
    assert is_rate("test_solved_mean")
    assert is_rate("battle_won_mean")
    assert not is_rate("test_return_mean")
