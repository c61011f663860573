"""What every unit is about for the next few loops."""

from __future__ import annotations

import functools
from dataclasses import dataclass

import numpy as np

from envs.batched import Array
from envs.skirmish.fights import Fights
from envs.skirmish.opponent import Opponent
from envs.skirmish.terrain import Terrain
from envs.skirmish.units import (
    DAMAGE,
    DAMAGE_THROUGH_ARMOUR,
    KINDS,
    LOOPS_PER_SECOND,
    MAY_HEAL,
    SPLASHES,
    TABLE,
)

THINK = 4  # loops between two plans
# How far any two units may close in until the next plan. It is the same in all fights: a maximum
# over those that are played together would make each depend on the others.
CLOSING = np.float32(2 * THINK * float(TABLE["speed"].max()) / LOOPS_PER_SECOND)
STANDING = np.float32(0.1)  # `Plan.gives` of units that can walk
NOWHERE = np.float32(-1)  # a reach within which nothing ever is


@dataclass
class Orders:
    """What the agents were told, (n, N): whom to attack or heal (-1: none) and where to walk."""

    target: Array
    goal: Array  # (2, n, N)
    walking: Array  # bool


@dataclass
class Plan:
    """All (n, U); indices are flat over fights and units."""

    alive: Array  # who was when this was last looked at
    target: Array  # flat index of the target, or of the unit itself
    reach: Array  # centre distance at which the unit stops and acts; NOWHERE for none
    pace: Array  # cells a loop
    floor: Array  # the pace, but never 0: what lengths are divided by at least
    gives: Array  # how far the unit gives way at least, against 1 for one that walks
    aim: Array  # (2, n, U) where those go that do not go straight to their target
    astray: Array  # who they are
    damage: Array  # of an attack on the target's shield
    piercing: Array  # of an attack on its life
    pairs: tuple[Array, Array]  # flat indices of ground units that may come to touch
    room: Array  # (pairs,) distance that they keep
    splashing: bool  # whether anybody's attacks hit an area

    def drop(self, fights: Fights) -> None:
        """Somebody died: the dead do nothing, and nobody follows them."""
        self.alive = alive = fights.alive
        idle = ~(alive & alive.reshape(-1).take(self.target))
        self.reach[idle], self.pace[idle] = NOWHERE, 0
        one, other = self.pairs
        kept = alive.reshape(-1).take(one) & alive.reshape(-1).take(other)
        self.pairs, self.room = (one[kept], other[kept]), self.room[kept]


class Planner:
    """Makes plans from the agents' orders and the opponent's choices."""

    def __init__(self, opponent: Opponent, terrain: Terrain) -> None:
        self._opponent, self._terrain = opponent, terrain

    def plan(self, f: Fights, orders: Orders) -> Plan:
        N, U = f.n_agents, f.n_units
        alive = f.alive
        gap = _gaps(f.place)  # (n, U, U)
        f.target[:, :N] = orders.target
        f.target[:, N:] = self._opponent.choose(f, gap, alive)
        base = (np.arange(f.n) * U)[:, None]
        own = base + np.arange(U)
        target = np.where(f.target >= 0, base + f.target, own)  # (n, U)
        pair = f.kind * len(KINDS) + f.kind.reshape(-1).take(target)
        damage = DAMAGE.reshape(-1).take(pair)
        able = (damage > 0) | MAY_HEAL.reshape(-1).take(pair)
        engaged = alive & (f.target >= 0) & able & alive.reshape(-1).take(target)
        reach = np.where(
            engaged, f.reach + f.radius + f.radius.reshape(-1).take(target), NOWHERE
        ).astype(np.float32)
        f.goal[:, :, :N] = orders.goal
        aim, astray = self._ways(f, target, engaged, reach)
        walking = alive.copy()
        walking[:, :N] &= orders.walking | engaged[:, :N]
        pace = f.speed * walking
        pairs, room = _neighbours(f, gap, alive)
        return Plan(
            alive=alive,
            target=target,
            reach=np.where(astray, NOWHERE, reach),
            pace=pace,
            floor=np.maximum(pace, 1e-6),
            gives=np.where(f.speed > 0, STANDING, np.float32(0)),
            aim=aim,
            astray=astray,
            damage=damage,
            piercing=DAMAGE_THROUGH_ARMOUR.reshape(-1).take(pair),
            pairs=pairs,
            room=room,
            splashing=bool(SPLASHES.take(f.kind).any()),
        )

    def _ways(self, f: Fights, target: Array, engaged: Array, reach: Array) -> tuple[Array, Array]:
        """Where to go: (2, n, U), and who does not go straight to the target."""
        goal = self._follow(f)
        if self._terrain.convex:
            return goal, ~engaged
        there = np.where(engaged, f.place.reshape(2, -1).take(target, axis=1), goal)
        aim, crooked = self._terrain.detour(f.place, there)
        aim, crooked = np.where(f.layer > 0, there, aim), crooked & (f.layer == 0)
        offset = there - f.place
        within = offset[0] ** 2 + offset[1] ** 2 <= reach * np.abs(reach)
        return aim, ~(engaged & (~crooked | within))

    def _follow(self, f: Fights) -> Array:
        """The units' goals; those of the enemies' healers are in the middle of their team."""
        N = f.n_agents
        healers = f.healing[:, N:] > 0
        if not healers.any():
            return f.goal
        others = f.alive[:, N:] & ~healers
        middle = (f.place[:, :, N:] * others).sum(axis=2) / np.maximum(others.sum(axis=1), 1)
        goal = f.goal.copy()
        goal[:, :, N:] = np.where(healers, middle[:, :, None].astype(np.float32), goal[:, :, N:])
        return goal


def _gaps(place: Array) -> Array:
    """(n, U, U) distances between centres."""
    offset = place[:, :, :, None] - place[:, :, None]
    offset *= offset
    squares = offset[0]
    squares += offset[1]
    return np.sqrt(squares, out=squares)


def _neighbours(f: Fights, gap: Array, alive: Array) -> tuple[tuple[Array, Array], Array]:
    """Pairs of living units on the ground that may touch before the next plan."""
    U = f.n_units
    touching = gap < f.radius[:, :, None] + (f.radius[:, None] + CLOSING)
    walkers = alive & (f.layer == 0)
    touching &= walkers[:, :, None]
    touching &= walkers[:, None]
    touching &= _upper(U)
    one, partner = np.nonzero(touching.reshape(-1, U))
    other = one - one % U + partner
    radius = f.radius.reshape(-1)
    return (one, other), radius.take(one) + radius.take(other)


@functools.cache
def _upper(n: int) -> Array:
    return np.triu(np.ones((n, n), bool), 1)
