"""Where agents get to that are told to walk."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from envs.build import make_batched
from envs.skirmish.layout import MOVE, NORTH_SOUTH_EAST_WEST
from tests.envs.skirmish.support import Duel

PARTS = (0.1, 0.5, 0.95)  # places in a cell


def loners(name: str) -> Any:
    """Fights in which one agent is all alone, somewhere on open ground: at some places in each
    cell that is at the edge of the map or beside a wall, where ways are not straight."""
    env: Any = make_batched("skirmish", {"map_name": name}, 1)
    cells = env.scenario.terrain.cells
    padded = np.pad(cells, 2)
    inner = np.ones_like(cells)
    for dy in range(5):
        for dx in range(5):
            inner &= padded[dy : dy + 32, dx : dx + 32]
    cell = np.argwhere(cells & ~inner)[:, ::-1]  # (cells, 2)
    part = np.stack(np.meshgrid(PARTS, PARTS), axis=-1).reshape(-1, 2)
    place = (cell[:, None] + part).reshape(-1, 2).T  # (2, n)
    n = place.shape[1]
    env = make_batched("skirmish", {"map_name": name}, n)
    env.reset(np.arange(n), np.arange(n))
    env.fights.health[:, 1:] = 0
    env.fights.place[:, :, 0] = place
    return env


@pytest.mark.parametrize("name", ["3m", "3s_vs_3z", "2c_vs_64zg", "corridor", "so_many_baneling"])
def test_an_available_move_never_leads_the_other_way(name: str) -> None:
    env = loners(name)
    start, rows = env.fights.numbers.copy(), np.arange(env.n_envs)
    for direction, way in enumerate(NORTH_SOUTH_EAST_WEST.T):
        env.fights.numbers[...] = start
        env.avail[...] = env.layout.avail(env.fights)
        may = env.avail[:, 0, MOVE + direction] > 0
        before = env.fights.place[:, :, 0].copy()
        actions = np.zeros((len(rows), env.fights.n_agents), np.int64)
        actions[:, 0] = np.where(may, MOVE + direction, 1)
        env.step(rows, actions)
        along = way @ (env.fights.place[:, :, 0] - before)

        assert may.sum() > len(rows) / 4
        assert along[may].min() > -1e-3, f"at {before[:, may][:, along[may].argmin()]}"
        assert along[may].mean() > 0.5, "and mostly it leads the right way"


def test_nobody_pushes_who_is_rooted() -> None:
    duel = Duel([("zealot", 10, 10)], [("spine_crawler", 12, 10)])
    duel.f.health[0, 0] = duel.f.life[0, 0] = 1e5
    duel.advance(80, goal=(20, 10))

    assert duel.at(1) == (12, 10)
    assert duel.at(0)[0] < 12, "the zealot, which would be at 20 by now, is held up"


def test_two_that_are_rooted_stay_where_they_are() -> None:
    duel = Duel([("marine", 30, 30)], [("spine_crawler", 12, 10), ("spine_crawler", 12.5, 10)])
    duel.advance(8)

    assert duel.at(1) == (12, 10)
    assert duel.at(2) == (12.5, 10)
