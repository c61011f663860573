"""Who settles where on matrix games: neither K nor hearing alone undoes overgeneralisation.

The table of all forms is made by `python benchmarks/matrix_games.py`; docs/on-policy.md has it.
"""

from __future__ import annotations

import pytest
import torch
from benchmarks.matrix_games import TEAMS, outcomes, trained


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "game", "end", "updates"),
    [
        ("mappo", "climbing", 7.0, 100),
        ("mappo", "penalty", 2.0, 8),  # all are there after three
        ("k2-outside", "penalty", 2.0, 8),
        ("armappo", "penalty", 2.0, 8),
    ],
)
def test_on_policy_learners_settle_for_the_safe_outcome(
    name: str, game: str, end: float, updates: int
) -> None:
    assert outcomes(game, name, seed=0, updates=updates) == [end] * TEAMS


@pytest.mark.slow
def test_what_is_heard_through_a_projection_finds_optima_that_must_not_be_mixed_up() -> None:
    """18 of 20 teams after 20 updates and after 100; with seeds 1 and 2 it is all of them."""
    ends = trained("penalty", "armappo_proj", seed=0, updates=20)

    assert ends.rewards.count(10.0) >= 15
    torch.testing.assert_close(ends.joint.sum(), torch.ones(()))
    assert ends.joint[0, 0] + ends.joint[2, 2] < 0.1  # of both optima, whose mixture pays -100
    assert min(ends.joint[0, 2], ends.joint[2, 0]) > 0.1
