"""MAPPO and its K-level forms settle where theory says: K does not undo overgeneralisation.

The whole table, 20 seeds each, is `python benchmarks/matrix_games.py`.
"""

from __future__ import annotations

import pytest
from benchmarks.matrix_games import outcome


@pytest.mark.slow
@pytest.mark.parametrize("name", ["mappo", "k2-outside"])
def test_climbing_ends_at_seven_and_penalty_at_two(name: str) -> None:
    assert outcome("climbing", name, seed=0, updates=100) == 7.0
    assert outcome("penalty", name, seed=0, updates=100) == 2.0
