from __future__ import annotations

import logging
import math

import pytest

from utils.console import Progress, TestResult, duration, head_lines, human, short_name, task_name


@pytest.mark.parametrize(
    ("number", "text"), [(12, "12"), (840_000, "840k"), (2_050_000, "2.05M"), (0, "0")]
)
def test_large_numbers_are_short(number: float, text: str) -> None:
    assert human(number) == text


@pytest.mark.parametrize(
    ("seconds", "text"), [(5, "5s"), (65, "1m05s"), (5700, "1h35m"), (math.inf, "?")]
)
def test_durations_are_short(seconds: float, text: str) -> None:
    assert duration(seconds) == text


def test_the_task_is_named_with_its_map() -> None:
    assert task_name({"env": "sc2", "env_args": {"map_name": "corridor"}}) == "sc2/corridor"
    assert task_name({"env": "two_step", "env_args": {}}) == "two_step"


def test_win_rates_are_called_wins() -> None:
    assert short_name("test_battle_won_mean") == "test win"
    assert str(TestResult("test_return_mean", 8.0, 0.0, 100)) == "test return 8.00 ±0.00"


def test_the_head_groups_what_was_changed_by_who_changed_it() -> None:
    config = {"name": "qmix", "env": "two_step", "env_args": {}, "seed": 3}
    changed = [
        ("lr", 0.1, "command line"),
        ("mixer", "qmix", "qmix.yaml"),
        ("seed", 3, "command line"),
    ]

    lines = head_lines(config, changed, None, ["cpu"])

    assert lines[0] == "qmix on two_step · seed 3 · cpu"
    assert "  command line: lr 0.1, seed 3" in lines
    assert "  qmix.yaml: mixer qmix" in lines


def test_the_last_round_may_pass_the_end() -> None:
    line = Progress(0, 20, logging.getLogger("pymarlk"))._line(52, None, 0.0)
    assert "100%" in line
    assert "20/20" in line
    assert "left 0s" in line
