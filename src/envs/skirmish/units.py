"""What each kind of unit can do: life, movement, weapon. Distances in cells, times in game loops.

One loop is 1/16 of a second of the game's data ("Normal" speed), as SMAC's step of 8 loops counts.
"""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np

LOOPS_PER_SECOND = 16
LEAST_DAMAGE = 0.5  # what armour always lets through


@dataclass(frozen=True)
class Unit:
    """One kind of unit. Speeds are given per second and periods in seconds, as in game data."""

    life: float
    shield: float
    armour: float
    speed: float
    radius: float
    damage: float = 0  # of one hit
    bonus: float = 0  # added against `bonus_on`
    bonus_on: str = ""  # light or armoured
    hits: int = 1
    range: float = 0  # from edge to edge
    period: float = 0  # seconds between attacks
    hits_air: bool = False
    splash: float = 0  # radius of a blast, or half the length of a line across the shot
    splash_line: bool = False
    suicide: bool = False  # dies of its own attack
    heals: float = 0  # life a second
    energy: float = 0  # at the start
    flies: bool = False
    light: bool = False
    armoured: bool = False
    living: bool = False  # medivacs heal only these
    cooldown_scale: float = 1  # what SMAC divides the cooldown, or the healer's energy, by


UNITS = {
    "baneling": Unit(
        30, 0, 0, 2.5, 0.375, 16, 19, "light", range=0.25, period=0.833,
        splash=2.2, suicide=True, living=True, cooldown_scale=1,
    ),
    "colossus": Unit(
        200, 150, 1, 2.25, 1.0, 10, 5, "light", hits=2, range=7, period=1.5,
        splash=1.4, splash_line=True, armoured=True, cooldown_scale=24,
    ),
    "hydralisk": Unit(
        80, 0, 0, 2.25, 0.625, 12, range=5, period=0.83,
        hits_air=True, light=True, living=True, cooldown_scale=10,
    ),
    "marauder": Unit(
        125, 0, 1, 2.25, 0.5625, 10, 10, "armoured", range=6, period=1.5,
        armoured=True, living=True, cooldown_scale=25,
    ),
    "marine": Unit(
        45, 0, 0, 2.25, 0.375, 6, range=5, period=0.8608,
        hits_air=True, light=True, living=True, cooldown_scale=15,
    ),
    "medivac": Unit(
        150, 0, 1, 2.75, 0.75, range=4,
        heals=12.6, energy=50, flies=True, armoured=True, cooldown_scale=200,
    ),
    "spine_crawler": Unit(
        300, 0, 2, 0, 1.125, 25, 5, "armoured", range=7, period=1.85,
        armoured=True, living=True, cooldown_scale=30,
    ),
    "stalker": Unit(
        80, 80, 1, 2.9531, 0.625, 13, 5, "armoured", range=6, period=1.875,
        hits_air=True, armoured=True, cooldown_scale=35,
    ),
    "zealot": Unit(
        100, 50, 1, 2.25, 0.5, 8, hits=2, range=0.1, period=1.2,
        light=True, living=True, cooldown_scale=22,
    ),
    "zergling": Unit(
        35, 0, 0, 2.9531, 0.375, 5, range=0.1, period=0.696,
        light=True, living=True, cooldown_scale=11,
    ),
}  # fmt: skip

KINDS = tuple(UNITS)  # alphabetical, as SMAC's unit ids within each map
KIND = {name: index for index, name in enumerate(KINDS)}
ENERGY_MAX = 200.0
ENERGY_PER_LOOP = 0.5625 / LOOPS_PER_SECOND
ENERGY_PER_LIFE = 1 / 3
SHIELD_PER_LOOP = 2 / LOOPS_PER_SECOND
SHIELD_PAUSE = 160  # loops without damage before shields come back


def column(name: str) -> np.ndarray:
    """One field of all kinds, (K,) float32."""
    return np.array([getattr(unit, name) for unit in UNITS.values()], np.float32)


TABLE = {
    field.name: column(field.name) for field in fields(Unit) if field.name != "bonus_on"
}  # by kind


def _damage(armoured: bool) -> np.ndarray:
    """(K, K) damage of one attack of the first kind on the second, through armour or a shield."""
    table = np.zeros((len(UNITS), len(UNITS)), np.float32)
    for i, attacker in enumerate(UNITS.values()):
        for j, victim in enumerate(UNITS.values()):
            if attacker.damage and (attacker.hits_air or not victim.flies):
                extra = attacker.bonus if attacker.bonus_on and _is(victim, attacker) else 0
                hit = attacker.damage + extra
                if armoured:
                    hit = max(hit - victim.armour, LEAST_DAMAGE)
                table[i, j] = attacker.hits * hit
    return table


def _is(victim: Unit, attacker: Unit) -> bool:
    """Whether the attacker's bonus counts."""
    return victim.light if attacker.bonus_on == "light" else victim.armoured


DAMAGE = _damage(armoured=False)  # on shields, which have no armour
DAMAGE_THROUGH_ARMOUR = _damage(armoured=True)  # on life
MAY_HEAL = (TABLE["heals"] > 0)[:, None] & (TABLE["living"] > 0)[None]  # (K, K)
