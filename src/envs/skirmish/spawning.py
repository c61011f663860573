"""Where the units of a map stand when a fight begins, and where the enemies go."""

from __future__ import annotations

import numpy as np

from envs.batched import Array
from envs.hashing import uniform
from envs.skirmish.fights import Spawn
from envs.skirmish.maps import SIZE, Map, Point, Team
from envs.skirmish.terrain import Terrain
from envs.skirmish.units import KIND, UNITS

SPREAD = 0.15  # cells by which each unit's start varies from fight to fight
ROOM = 1.15  # distance between neighbours at the start, in diameters
PLACES = 2  # stream of random numbers


class FixedSpawn:
    """SMAC's maps: the same teams at the same points, but for small differences of place."""

    def __init__(self, scenario: Map, terrain: Terrain) -> None:
        m = scenario
        self._kind = np.array([KIND[kind] for kind in slots(m.allies) + slots(m.enemies)])
        allies = formation(m.allies, m.ally_spawns, terrain)
        enemies = formation(m.enemies, m.enemy_spawns, terrain)
        self._place = np.concatenate([allies, enemies], axis=1)  # (2, U)
        self._n_agents = scenario.n_agents
        self._goal = self._place.copy()
        if scenario.attack_point is not None:
            centre = self._place[:, self._n_agents :].mean(axis=1, keepdims=True)
            wanted = self._place - centre + np.array(scenario.attack_point)[:, None]
            self._goal = np.array([terrain.nearest_open((x, y)) for x, y in wanted.T]).T

    def __call__(self, seeds: Array) -> Spawn:
        n, U = len(seeds), len(self._kind)
        kind = np.broadcast_to(self._kind, (n, U))
        moved = uniform(seeds, 2 * U, PLACES).reshape(n, 2, U).swapaxes(0, 1) * 2 - 1
        place = np.clip(self._place[:, None] + SPREAD * moved, 0.01, SIZE - 0.01)  # (2, n, U)
        order = np.arange(n)[:, None], _agent_order(kind, place, self._n_agents)
        goal = np.broadcast_to(self._goal[:, None], place.shape)
        return Spawn(kind, place[:, *order], goal)


def _agent_order(kind: Array, place: Array, n_agents: int) -> Array:
    """(n, U) slots such that agents are sorted by kind, x and y, as SMAC numbers them."""
    n, U = kind.shape
    order = np.broadcast_to(np.arange(U), (n, U)).copy()
    x, y = place[:, :, :n_agents]
    order[:, :n_agents] = np.lexsort((y, x, kind[:, :n_agents]), axis=-1)
    return order


def slots(team: Team) -> list[str]:
    """The kind of each slot."""
    return [kind for kind, count in team for _ in range(count)]


def formation(team: Team, spawns: tuple[Point, ...], terrain: Terrain) -> Array:
    """(2, units) places on open ground: close together around the points where they spawn.

    One point is for the whole team, more are for its kinds in turn, or for its units.
    """
    if len(spawns) == 1:
        groups = [(slots(team), spawns[0])]
    elif len(spawns) == len(team):
        groups = [([kind] * count, at) for (kind, count), at in zip(team, spawns, strict=True)]
    else:
        groups = [([kind], at) for kind, at in zip(slots(team), spawns, strict=True)]
    return np.concatenate([_cluster(kinds, at, terrain) for kinds, at in groups], axis=1)


def _cluster(kinds: list[str], at: Point, terrain: Terrain) -> Array:
    """(2, n) the n points of a hexagonal lattice that are nearest to `at` and on open ground."""
    gap = 2 * ROOM * max(UNITS[kind].radius for kind in kinds)
    steps = np.arange(-20, 21)
    column, row = (each.reshape(-1) for each in np.meshgrid(steps, steps))
    x = at[0] + gap * (column + 0.5 * (row % 2))
    y = at[1] + gap * np.sqrt(0.75) * row
    fits = np.ones(len(x), bool)
    for dx, dy in ((-SPREAD, -SPREAD), (-SPREAD, SPREAD), (SPREAD, -SPREAD), (SPREAD, SPREAD)):
        corner = np.stack([x + dx, y + dy])
        fits &= ((corner >= 0) & (corner < SIZE)).all(axis=0)
        fits &= terrain.is_open(corner.clip(0, SIZE - 0.01))
    distance = np.where(fits, (x - at[0]) ** 2 + (y - at[1]) ** 2, np.inf)
    nearest = np.lexsort((x, y, distance.round(6)))[: len(kinds)]
    return np.stack([x[nearest], y[nearest]])
