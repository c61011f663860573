"""The nearest name: what people mistype, and what is no mistyping."""

from __future__ import annotations

import pytest

from utils.errors import last_line, nearest, slips


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("qmxi", "qmix"),  # two letters swapped
        ("vdm", "vdn"),  # a wrong one
        ("qmx", "qmix"),  # one too few
        ("QMIX", "qmix"),
        ("k_levle", "k_level"),
        ("hidden_dim", "rnn_hidden_dim"),
        ("epsilon", "epsilon_greedy"),
        ("rmsprob", "rmsprop"),
    ],
)
def test_the_nearest_name_is_found(typed: str, meant: str) -> None:
    names = ["qmix", "vdn", "k_level", "rnn_hidden_dim", "epsilon_greedy", "rmsprop", "lr", "agent"]

    assert nearest(typed, names) == meant


@pytest.mark.parametrize("typed", ["xy", "mappo", "l", "", "quux"])
def test_nothing_near_is_nothing(typed: str) -> None:
    assert nearest(typed, ["qmix", "vdn", "lr"]) is None


def test_of_several_the_one_with_the_fewest_slips() -> None:
    assert nearest("learner_log_interval_", ["learner_log_interval", "runner_log_interval"]) == (
        "learner_log_interval"
    )


def test_slips_are_counted_as_fingers_make_them() -> None:
    assert slips("abcd", "abcd") == 0
    assert slips("abdc", "abcd") == slips("abc", "abcd") == slips("abcde", "abcd") == 1
    assert slips("badc", "abcd") == 2
    assert slips("", "abc") == slips("abc", "") == 3


def test_the_last_line_is_one_that_a_terminal_shows_unchanged() -> None:
    assert last_line("Traceback:\nOSError: \x1b[2J\rgone\x07\n") == (r"OSError: \x1b[2J\rgone\x07")
    assert last_line("") == ""
    assert len(last_line("a " * 10_000)) < 1000
