"""Who settles where on matrix games: neither K nor hearing alone undoes overgeneralisation.

The table of all forms is made by `python benchmarks/matrix_games.py`; docs/on-policy.md has it.
"""

from __future__ import annotations

import pytest
from benchmarks.matrix_games import TEAMS, outcomes


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "game", "end", "updates"),
    [
        ("mappo", "climbing", 7.0, 100),
        ("mappo", "penalty", 2.0, 25),  # all are there after three
        ("k2-outside", "climbing", 7.0, 100),
        ("armappo", "climbing", 7.0, 100),
    ],
)
def test_on_policy_learners_settle_for_the_safe_outcome(
    name: str, game: str, end: float, updates: int
) -> None:
    assert outcomes(game, name, seed=0, updates=updates) == [end] * TEAMS
