"""What layouts and rewards must know of a scenario, whether it is a fixed map or generated."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from envs.batched import Array
from envs.skirmish.fights import Spawn
from envs.skirmish.maps import Map, Team
from envs.skirmish.spawning import FixedSpawn
from envs.skirmish.terrain import Terrain, terrain_of
from envs.skirmish.units import KIND, TABLE, UNITS


@dataclass(frozen=True)
class Scenario:
    """Kinds of units are a matter of each fight (`spawn`); here is what all fights share."""

    name: str
    n_agents: int
    n_enemies: int
    limit: int
    terrain: Terrain
    hunts: bool
    ally_bits: Array  # (K, bits) one-hot of each kind among the agents
    enemy_bits: Array
    ally_shields: bool  # whether shields are observed
    enemy_shields: bool
    healers: bool  # whether agents may heal each other
    toughness: float  # the most life and shields that all enemies may have together
    spawn: Callable[[Array], Spawn]

    @property
    def n_actions(self) -> int:
        targets = max(self.n_enemies, self.n_agents) if self.healers else self.n_enemies
        return 6 + targets


def fixed_scenario(m: Map) -> Scenario:
    """One of SMAC's maps."""
    terrain = terrain_of(m.ground)
    return Scenario(
        name=m.name,
        n_agents=m.n_agents,
        n_enemies=m.n_enemies,
        limit=m.limit,
        terrain=terrain,
        hunts=m.hunts,
        ally_bits=one_hots(m.ally_types),
        enemy_bits=one_hots(m.enemy_types),
        ally_shields=has_shields(m.allies),
        enemy_shields=has_shields(m.enemies),
        healers=any(UNITS[kind].heals for kind, _ in m.allies),
        toughness=toughness(m),
        spawn=FixedSpawn(m, terrain),
    )


def one_hots(order: tuple[str, ...]) -> Array:
    """(K, bits) float32 for types in this order; other kinds are all zero."""
    bits = np.zeros((len(KIND), len(order)), np.float32)
    for place, kind in enumerate(order):
        bits[KIND[kind], place] = 1
    return bits


def has_shields(team: Team) -> bool:
    return any(UNITS[kind].shield for kind, _ in team)


def toughness(m: Map) -> float:
    table = TABLE["life"] + TABLE["shield"]
    return float(sum(count * table[KIND[kind]] for kind, count in m.enemies))
