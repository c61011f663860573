"""SMACv2's scenarios: teams and starting places are drawn anew for every fight.

Both teams have the same kinds of units; enemies beyond the agents' number are drawn in addition.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np

from envs.batched import Array
from envs.hashing import uniform
from envs.skirmish.fights import Spawn
from envs.skirmish.maps import MAPS, OPEN, SIZE
from envs.skirmish.scenario import Scenario, fixed_scenario, has_shields, one_hots
from envs.skirmish.settings import Capabilities
from envs.skirmish.terrain import terrain_of
from envs.skirmish.units import KIND, TABLE, UNITS
from utils.errors import UserError, did_you_mean

RACES = {  # the order of SMACv2's one-hots of types
    "10gen_protoss": ("stalker", "zealot", "colossus"),
    "10gen_terran": ("marine", "marauder", "medivac"),
    "10gen_zerg": ("zergling", "hydralisk", "baneling"),
}
WEIGHTS = (0.45, 0.45, 0.1)
EXCEPTIONS = ("medivac", "baneling")  # no team may consist of these alone
LIMIT = 200
KINDS_STREAM, SIDES_STREAM, PLACES_STREAM = 3, 4, 5
EDGE = 2.0  # cells that units keep from the map's edge at the start
RING = (9.0, 12.0)  # how far those who surround stand from the middle
MIDDLE = SIZE / 2
CLUSTER = 2.5  # cells around the middle where those stand who are surrounded


@dataclass(frozen=True)
class TeamSettings:
    """`capability_config`, flat: what of SMACv2's nested settings matters here."""

    n_units: int = 5
    n_enemies: int = 5
    unit_types: tuple[str, ...] = ()
    weights: tuple[float, ...] = WEIGHTS
    exception_unit_types: tuple[str, ...] = EXCEPTIONS
    surrounded: float = 0.5  # how often the enemies stand all around; else the teams are mirrored


# What may be given, and `dist_type`s that are modelled; "" is the top level. SMACv2's own files
# also say whether kinds are observed and how large the map is: here they are, and it is 32 x 32.
KNOWN: dict[str, tuple[str, ...]] = {
    "": ("n_units", "n_enemies", "team_gen", "start_positions"),
    "team_gen": ("dist_type", "unit_types", "weights", "exception_unit_types", "observe"),
    "start_positions": ("dist_type", "p", "map_x", "map_y"),
}
DIST_TYPES = {"team_gen": "weighted_teams", "start_positions": "surrounded_and_reflect"}
FIXED: dict[str, object] = {"observe": True, "map_x": SIZE, "map_y": SIZE}


def find_scenario(name: str, capability_config: Capabilities | None) -> Scenario:
    """A map of SMAC's, or a scenario of SMACv2's for one of its three races."""
    if name in RACES:
        return generated_scenario(name, capability_config)
    if name not in MAPS:
        known = (*MAPS, *RACES)
        raise UserError(
            f"Unknown Skirmish map '{name}'.{did_you_mean(name, known)} Known: {', '.join(known)}."
        )
    if capability_config:
        raise UserError(
            f"capability_config is for {', '.join(RACES)}; map_name={name} has fixed teams."
        )
    return fixed_scenario(MAPS[name])


def team_settings(name: str, config: Capabilities | None) -> TeamSettings:
    """From SMACv2's `capability_config`; what it leaves out is as in SMACv2's files."""
    config = _part("", config)
    team = _part("team_gen", config.get("team_gen"))
    start = _part("start_positions", config.get("start_positions"))
    given: Capabilities = {k: config[k] for k in ("n_units", "n_enemies") if k in config}
    for key in ("unit_types", "weights", "exception_unit_types"):
        if key in team:
            given[key] = _listed(key, team[key])
    if "p" in start:
        given["surrounded"] = start["p"]
    settings = TeamSettings(**{"unit_types": RACES[name], **given})
    _check(settings, name)
    return settings


def _part(place: str, config: object) -> Capabilities:
    """One level of `capability_config`, with known keys; null is nothing."""
    label = f"capability_config.{place}" if place else "capability_config"
    if config is None:
        return {}
    if not isinstance(config, dict):
        raise UserError(f"{label} is {config!r}; it must be a dictionary, or null.")
    known = KNOWN[place]
    for key, value in config.items():
        if key not in known:
            raise UserError(
                f"{label} has no '{key}'.{did_you_mean(key, known)} "
                f"Known: {', '.join(sorted(known))}."
            )
        only = DIST_TYPES[place] if key == "dist_type" else FIXED.get(key, value)
        if value != only:
            raise UserError(f"{label}: {key} is {value!r}; Skirmish has {key}: {only} alone.")
    return config


def _listed(key: str, values: object) -> tuple[object, ...]:
    if not isinstance(values, list | tuple):
        raise UserError(f"capability_config: {key} is {values!r}; it must be a list: [{values}].")
    return tuple(values)


def _is_number(value: object) -> bool:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    return math.isfinite(value)


def _check(settings: TeamSettings, name: str) -> None:
    _check_kinds(settings, name)
    _check_sizes(settings)
    _check_chances(settings)
    if set(settings.unit_types) <= set(settings.exception_unit_types):
        raise UserError(
            f"capability_config: all unit_types {settings.unit_types} are exception_unit_types; a "
            "team needs others too."
        )


def _check_kinds(s: TeamSettings, name: str) -> None:
    race = RACES[name]
    for kind in (*s.unit_types, *s.exception_unit_types):
        if kind not in UNITS:
            raise UserError(f"Unknown unit '{kind}'.{did_you_mean(str(kind), UNITS)}")
    if not set(s.unit_types) <= set(race) or len(set(s.unit_types)) < len(s.unit_types):
        raise UserError(
            f"capability_config: unit_types {s.unit_types} must be different kinds of {name}'s: "
            f"{', '.join(race)}."
        )


def _check_sizes(s: TeamSettings) -> None:
    whole = all(type(n) is int for n in (s.n_units, s.n_enemies))
    if not whole or not 1 <= s.n_units <= s.n_enemies:
        raise UserError(
            f"capability_config: n_units={s.n_units!r}, n_enemies={s.n_enemies!r}; these are whole "
            "numbers, and there must be at least one unit and as many enemies or more."
        )


def _check_chances(s: TeamSettings) -> None:
    usable = all(_is_number(weight) and weight >= 0 for weight in s.weights)
    if not usable or len(s.weights) != len(s.unit_types) or sum(s.weights) <= 0:
        raise UserError(
            f"capability_config: weights {s.weights} must be one number, not negative, for each "
            f"of unit_types {s.unit_types}."
        )
    if not _is_number(s.surrounded) or not 0 <= s.surrounded <= 1:
        raise UserError(
            f"capability_config.start_positions: p is {s.surrounded!r}; it must be from 0 to 1, "
            "how often the enemies stand all around."
        )


def generated_scenario(name: str, config: Capabilities | None) -> Scenario:
    s = team_settings(name, config)
    order, team = s.unit_types, tuple((kind, 1) for kind in s.unit_types)
    table = TABLE["life"] + TABLE["shield"]
    return Scenario(
        name=name,
        n_agents=s.n_units,
        n_enemies=s.n_enemies,
        limit=LIMIT,
        terrain=terrain_of(OPEN),
        hunts=True,
        ally_bits=one_hots(order),
        enemy_bits=one_hots(order),
        ally_shields=has_shields(team),
        enemy_shields=has_shields(team),
        healers=any(UNITS[kind].heals for kind in order),
        toughness=s.n_enemies * max(float(table[KIND[kind]]) for kind in order),
        spawn=RandomSpawn(s),
    )


@dataclass
class RandomSpawn:
    """Draws teams and places from the fights' seeds."""

    settings: TeamSettings
    _kinds: Array = field(init=False)
    _shares: Array = field(init=False)

    def __post_init__(self) -> None:
        self._kinds = np.array([KIND[kind] for kind in self.settings.unit_types])
        self._shares = np.cumsum(self.settings.weights) / np.sum(self.settings.weights)

    def __call__(self, seeds: Array) -> Spawn:
        kind = self._teams(seeds)
        place = self._places(seeds)
        return Spawn(kind, place, place)

    def _teams(self, seeds: Array) -> Array:
        """(n, U) kinds; the agents sorted, the first enemies the same as they."""
        s, n = self.settings, len(seeds)
        drawn = uniform(seeds, s.n_enemies, KINDS_STREAM)
        choice = np.searchsorted(self._shares, drawn, side="right")
        choice = np.minimum(choice, len(self._kinds) - 1)
        able = [i for i, kind in enumerate(s.unit_types) if kind not in s.exception_unit_types]
        barred = ~np.isin(choice[:, : s.n_units], able).any(axis=1)
        choice[barred, 0] = able[0]
        first = np.sort(choice[:, : s.n_units], axis=1)
        kinds = self._kinds[np.concatenate([first, first, choice[:, s.n_units :]], axis=1)]
        return kinds.reshape(n, -1)

    def _places(self, seeds: Array) -> Array:
        """(2, n, U): mirrored at the middle, or the agents in the middle and enemies around."""
        s, n = self.settings, len(seeds)
        N, M = s.n_units, s.n_enemies
        drawn = uniform(seeds, 2 * (N + M), PLACES_STREAM).reshape(n, 2, N + M).swapaxes(0, 1)
        x = EDGE + drawn[0] * (MIDDLE - 2 * EDGE)
        y = EDGE + drawn[1] * (SIZE - 2 * EDGE)
        mirrored = np.stack([x, y])
        mirrored[:, :, N : 2 * N] = mirrored[:, :, :N]
        mirrored[0, :, N:] = SIZE - mirrored[0, :, N:]
        angle = 2 * np.pi * (drawn[0] + np.arange(N + M)) / max(M, 1)
        reach = RING[0] + drawn[1] * (RING[1] - RING[0])
        around = MIDDLE + np.stack([np.cos(angle), np.sin(angle)]) * reach
        around[:, :, :N] = MIDDLE + (2 * drawn[:, :, :N] - 1) * CLUSTER
        surrounded = uniform(seeds, 1, SIDES_STREAM)[:, 0] < s.surrounded
        return np.where(surrounded[:, None], around, mirrored).astype(np.float32)
