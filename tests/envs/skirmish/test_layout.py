"""Observations, states, available actions and rewards against a slow reading of SMAC's layout."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from envs.build import make_batched
from envs.skirmish.env import SkirmishBatch
from envs.skirmish.maps import MAPS
from envs.skirmish.units import KINDS
from tests.envs.skirmish.support import random_actions

COOLDOWN = {
    "marine": 15,
    "marauder": 25,
    "medivac": 200,
    "stalker": 35,
    "zealot": 22,
    "colossus": 24,
    "hydralisk": 10,
    "zergling": 11,
    "baneling": 1,
}
SHIELD = {"stalker": 80, "zealot": 50, "colossus": 150}
LIFE = {"marine": 45, "marauder": 125, "medivac": 150, "stalker": 80, "zealot": 100}
LIFE |= {"colossus": 200, "hydralisk": 80, "zergling": 35, "baneling": 30, "spine_crawler": 300}
ALLY_TYPES = {  # SMAC numbers its own kinds of units by the alphabet
    "MMM": ["marauder", "marine", "medivac"],
    "MMM2": ["marauder", "marine", "medivac"],
    "2s3z": ["stalker", "zealot"],
    "3s5z": ["stalker", "zealot"],
    "3s5z_vs_3s6z": ["stalker", "zealot"],
    "1c3s5z": ["colossus", "stalker", "zealot"],
    "bane_vs_bane": ["baneling", "zergling"],
}
PROTOSS = ("2s3z", "3s5z", "3s5z_vs_3s6z")
ENEMY_TYPES = ALLY_TYPES | {name: ["zealot", "stalker"] for name in PROTOSS}
WAYS = ((0, 1), (0, -1), (1, 0), (-1, 0))  # north, south, east, west


class Unit:
    """One unit as SMAC's code sees it."""

    def __init__(self, env: SkirmishBatch, row: int, slot: int) -> None:
        f = env.fights
        self.kind = KINDS[f.kind[row, slot]]
        self.x, self.y = float(f.x[row, slot]), float(f.y[row, slot])
        self.health, self.shield = float(f.health[row, slot]), float(f.shield[row, slot])
        self.cooldown, self.energy = float(f.cooldown[row, slot]), float(f.energy[row, slot])
        self.alive = self.health > 0
        self.ally = slot < f.n_agents

    def distance(self, other: Unit) -> float:
        return float(np.hypot(self.x - other.x, self.y - other.y))


class Reading:
    """Everything that SMAC would show of one fight, computed unit by unit."""

    def __init__(self, env: SkirmishBatch, row: int, name: str) -> None:
        self.name, self.cells, N = name, env.scenario.terrain.cells, env.fights.n_agents
        units = [Unit(env, row, slot) for slot in range(env.fights.n_units)]
        self.allies, self.enemies = units[:N], units[N:]
        self.actions = [int(a) for a in env.last_actions[row]]
        self.n_actions = env.layout.n_actions

    def types(self, unit: Unit) -> list[float]:
        kinds = (ALLY_TYPES if unit.ally else ENEMY_TYPES).get(self.name, [])
        return [float(unit.kind == kind) for kind in kinds]

    def shields(self, unit: Unit) -> list[float]:
        team = self.allies if unit.ally else self.enemies
        if not any(mate.kind in SHIELD for mate in team):
            return []
        return [unit.shield / SHIELD.get(unit.kind, 1)]

    def avail(self, agent: int) -> list[int]:
        unit = self.allies[agent]
        flags = [0] * self.n_actions
        if not unit.alive:
            return [1, *flags[1:]]
        flags[1] = 1
        for place, (dx, dy) in enumerate(WAYS):
            x, y = unit.x + dx, unit.y + dy
            inside = -1 < x < 32 and -1 < y < 32  # SMAC truncates -0.5 to 0
            flags[2 + place] = int(inside and bool(self.cells[int(y), int(x)]))
        heals = unit.kind == "medivac"
        for place, other in enumerate(self.allies if heals else self.enemies):
            fits = not heals or other.kind != "medivac"
            flags[6 + place] = int(fits and other.alive and unit.distance(other) <= 6)
        return flags

    def seen(self, unit: Unit, other: Unit, mark: int) -> list[float]:
        dx, dy, distance = other.x - unit.x, other.y - unit.y, unit.distance(other)
        health = other.health / LIFE[other.kind]
        features = [mark, distance / 9, dx / 9, dy / 9, health]
        features += self.shields(other) + self.types(other)
        visible = other.alive and distance < 9
        return [float(value) if visible else 0.0 for value in features]

    def obs(self, agent: int) -> list[float]:
        unit, avail = self.allies[agent], self.avail(agent)
        shown: list[float] = [*avail[2:6]]
        for place, enemy in enumerate(self.enemies):
            shown += self.seen(unit, enemy, avail[6 + place])
        for place, mate in enumerate(self.allies):
            if place != agent:
                shown += self.seen(unit, mate, 1)
        shown += [unit.health / LIFE[unit.kind], *self.shields(unit), *self.types(unit)]
        return [value if unit.alive else 0.0 for value in shown]

    def state(self) -> list[float]:
        shown: list[float] = []
        for unit in self.allies + self.enemies:
            values = [unit.health / LIFE[unit.kind]]
            if unit.ally:
                heals = unit.kind == "medivac"
                left = unit.energy if heals else max(unit.cooldown, 0)
                values.append(left / COOLDOWN[unit.kind])
            values += [(unit.x - 16) / 32, (unit.y - 16) / 32]
            values += self.shields(unit) + self.types(unit)
            shown += [value if unit.alive else 0.0 for value in values]
        for action in self.actions:
            shown += [float(action == a) for a in range(self.n_actions)]
        return shown

    def strength(self) -> float:
        return sum(unit.health + unit.shield for unit in self.enemies)

    def dead(self) -> int:
        return sum(not unit.alive for unit in self.enemies)


def compare(env: SkirmishBatch, row: int, name: str) -> Reading:
    """Everything that row shows, and its reading."""
    reading = Reading(env, row, name)
    agents = range(env.fights.n_agents)
    np.testing.assert_array_equal(env.avail[row], [reading.avail(i) for i in agents])
    np.testing.assert_allclose(env.obs[row], [reading.obs(i) for i in agents], atol=2e-6)
    np.testing.assert_allclose(env.state[row], reading.state(), atol=2e-6)
    return reading


@pytest.mark.parametrize("name", MAPS)
def test_a_fight_is_shown_as_smac_shows_it(name: str) -> None:
    env: Any = make_batched("skirmish", {"map_name": name}, 3)
    rows, random = np.arange(3), np.random.default_rng(0)
    env.reset(rows, rows)
    before = [compare(env, row, name) for row in rows]
    most = env.get_env_info()["max_reward"]
    fought = 0.0
    for _ in range(16):
        step = env.step(rows, random_actions(env, rows, random))
        for place, row in enumerate(list(rows)):
            reading = compare(env, row, name)
            gained = before[row].strength() - reading.strength()
            gained = abs(gained + 10 * (reading.dead() - before[row].dead()))
            gained += 200 * step.infos[place]["battle_won"]
            assert step.reward[place] == pytest.approx(20 * gained / most, abs=1e-4)
            assert step.infos[place]["dead_enemies"] == reading.dead()
            before[row], fought = reading, fought + gained
        rows = rows[~step.ended]
        if not len(rows):
            break
    assert fought > 0 or name == "2s_vs_1sc", "the fights never began"


def test_the_other_observations_come_where_smac_has_them() -> None:
    extras = {"obs_last_action": True, "obs_timestep_number": True, "obs_pathing_grid": True}
    plain: Any = make_batched("skirmish", {"map_name": "2s3z"}, 1)
    full: Any = make_batched("skirmish", {"map_name": "2s3z", **extras}, 1)
    bare: Any = make_batched(
        "skirmish", {"map_name": "2s3z", "obs_all_health": False, "obs_own_health": False}, 1
    )
    row, random = np.arange(1), np.random.default_rng(0)
    for env in (plain, full, bare):
        env.reset(row, row)
    A, N, M = 11, 5, 5
    actions = random_actions(plain, row, random)
    for env in (plain, full, bare):
        env.step(row, actions)

    assert full.obs.shape[2] == 80 + 8 + (N - 1) * A + 1
    assert full.obs[0, :, -1] == pytest.approx(1 / 120)
    np.testing.assert_array_equal(full.obs[0, :, :4], plain.obs[0, :, :4])
    np.testing.assert_array_equal(full.obs[0, :, 12 : 12 + M * 8], plain.obs[0, :, 4 : 4 + M * 8])
    mates = full.obs[0, 0, 12 + M * 8 : 12 + M * 8 + (N - 1) * (8 + A)].reshape(N - 1, 8 + A)
    np.testing.assert_array_equal(mates[:, 8:].argmax(axis=1), actions[0, 1:])
    np.testing.assert_array_equal(mates[:, :8].ravel(), plain.obs[0, 0, 44:76])
    assert bare.obs.shape[2] == 4 + M * 6 + (N - 1) * 6 + 2


def test_the_state_can_be_all_observations_and_can_tell_the_time() -> None:
    row = np.arange(1)
    joined: Any = make_batched("skirmish", {"map_name": "3m", "obs_instead_of_state": True}, 1)
    timed: Any = make_batched("skirmish", {"map_name": "3m", "state_timestep_number": True}, 1)
    for env in (joined, timed):
        env.reset(row, row)
        env.step(row, np.array([[1, 1, 1]]))

    np.testing.assert_array_equal(joined.state[0], joined.obs[0].ravel())
    assert timed.state.shape[1] == 49
    assert timed.state[0, -1] == pytest.approx(1 / 60)
