"""Fights are calibrated: what scripted players win, in the order that SMAC's players know."""

from __future__ import annotations

import functools

import numpy as np
import pytest

from envs.skirmish.env import SkirmishBatch
from envs.skirmish.maps import MAPS, PAPER
from envs.skirmish.policies import POLICIES, play

FIGHTS = 20
OFTEN_WON_AT_RANDOM = {"bane_vs_bane"}  # docs/skirmish.md says why
OPEN_FIELD = ("3m", "8m", "25m", "MMM", "2s3z", "3s5z", "1c3s5z")


@functools.cache
def win_rate(name: str, player: str, difficulty: str = "7") -> float:
    env = SkirmishBatch(FIGHTS, map_name=name, difficulty=difficulty)
    won, _ = play(env, POLICIES[player], np.arange(FIGHTS))
    return float(won.mean())


def best(name: str) -> float:
    return max(win_rate(name, player) for player in ("nearest", "focus", "kite", "choke"))


def mean(rates: list[float]) -> float:
    return float(np.mean(rates))


@pytest.mark.parametrize("name", sorted(set(MAPS) - OFTEN_WON_AT_RANDOM))
def test_random_players_almost_never_win(name: str) -> None:
    assert win_rate(name, "random") <= 0.15


def test_focused_fire_beats_the_nearest_target() -> None:
    nearest = [win_rate(name, "nearest") for name in OPEN_FIELD]
    focused = [win_rate(name, "focus") for name in OPEN_FIELD]

    assert mean(focused) > mean(nearest) + 0.1
    assert 0.3 < mean(nearest) < 0.9


def test_kiting_pays_against_zealots() -> None:
    assert win_rate("3s_vs_5z", "kite") > 0.7
    assert win_rate("3s_vs_5z", "focus") < 0.1


def test_holding_the_choke_pays_on_corridor() -> None:
    assert win_rate("corridor", "choke") > 0.3
    assert win_rate("corridor", "focus") < 0.1


def test_maps_are_as_hard_as_the_smac_paper_says() -> None:
    easy, hard, super_hard = (mean([best(name) for name in names]) for names in PAPER.values())

    assert easy > hard + 0.1
    assert hard > super_hard + 0.1


def test_a_higher_difficulty_is_harder() -> None:
    rates = [
        mean([win_rate(name, "nearest", level) for name in ("3m", "8m", "3s5z")])
        for level in ("1", "7", "8", "A")
    ]

    assert rates == sorted(rates, reverse=True)
    assert rates[0] - rates[-1] > 0.5


def test_taking_turns_pays_before_who_cannot_follow() -> None:
    assert win_rate("2s_vs_1sc", "kite") > 0.5
    assert win_rate("2s_vs_1sc", "focus") < 0.1
