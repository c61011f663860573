"""The fight behind the protocol, on the Skirmish engine: tags, orders, respawns, loops.

The server needs only this much of a battle: `units`, `loop`, `order`, `step`, `kill`, `create`,
`terrain`, `own_types`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from envs.skirmish.engine import Engine
from envs.skirmish.fights import Fights, Spawn
from envs.skirmish.maps import MAPS, OPEN
from envs.skirmish.opponent import find_skill
from envs.skirmish.plan import Orders
from envs.skirmish.scenario import fixed_scenario
from envs.skirmish.terrain import terrain_of
from envs.skirmish.units import KIND, KINDS

OWN_TYPES = 2000  # the first number of the allies' types, which maps define themselves
ALLY, ENEMY = 1, 2
MOVE, ATTACK, STOP, HEAL = 16, 23, 4, 386
GENERATION = 1000  # tags of one generation of units
FLAT = "32x32_flat"  # SMACv2's map, which begins empty
NUMBERS = {
    "marine": 48, "marauder": 51, "medivac": 54, "zealot": 73, "stalker": 74, "colossus": 4,
    "baneling": 9, "zergling": 105, "hydralisk": 107, "spine_crawler": 98,
}  # fmt: skip
DIFFICULTY = "7"


@dataclass(frozen=True)
class Unit:
    """What the protocol shows of one living unit."""

    tag: int
    number: int  # of its type
    owner: int
    x: float
    y: float
    life: float
    life_max: float
    shield: float
    shield_max: float
    energy: float
    cooldown: float


class Battle:
    """All units of one game, respawned by the map when both sides are gone."""

    def __init__(self, map_name: str, seed: int) -> None:
        self._seed, self._generation, self.loop = seed, 0, 0
        self._born: list[tuple[int, int, tuple[float, float]]] = []  # kind, owner, place
        self._someone_died = False
        self._scenario = None if map_name == FLAT else fixed_scenario(MAPS[map_name])
        self.terrain = self._scenario.terrain if self._scenario else terrain_of(OPEN)
        hunts = self._scenario.hunts if self._scenario else True
        self._engine = Engine(self.terrain, find_skill(DIFFICULTY), hunts)
        self._f = Fights(1, 0, 0)
        if self._scenario:
            team = {kind for kind, _ in MAPS[map_name].allies}
            self._respawn()
        else:
            team = {*KINDS} - {"spine_crawler"}
        self._own_types = {name: OWN_TYPES + i for i, name in enumerate(sorted(team))}

    @property
    def units(self) -> dict[int, Unit]:
        """Those that live, by tag."""
        return {unit.tag: unit for unit in self._living()}

    def order(
        self, tag: int, ability: int, point: tuple[float, float] | None, target: int | None
    ) -> None:
        """Allies only; whoever is dead or unknown hears nothing."""
        slot = self._slot(tag)
        if slot is None or slot >= self._f.n_agents:
            return
        orders, other = self._orders, None if target is None else self._slot(target)
        orders.target[0, slot] = -1 if other is None else other
        orders.walking[0, slot] = ability == MOVE
        if point is not None:
            orders.goal[:, 0, slot] = point

    def step(self, loops: int) -> None:
        self._settle()
        if self._f.n_units and self._f.alive.any():
            self._engine.advance(self._f, self._orders, loops)
            self._someone_died |= not self._f.alive.all()
        if self._someone_died and not self._f.alive.any() and self._scenario:
            self._respawn()
        self.loop += loops

    def kill(self, tags: list[int]) -> None:
        for tag in tags:
            slot = self._slot(tag)
            if slot is not None:
                self._f.health[0, slot] = 0
                self._someone_died = True

    def create(self, number: int, owner: int, place: tuple[float, float]) -> None:
        """By the number of the type, as SMACv2 does; the unit appears with the next loop."""
        names = {own: name for name, own in self._own_types.items()}
        names |= {number: name for name, number in NUMBERS.items()}
        self._born.append((KIND[names[number]], owner, place))

    def own_types(self) -> list[int]:
        return sorted(self._own_types.values())

    def _respawn(self) -> None:
        assert self._scenario is not None
        seeds = np.array([self._seed + self._generation])
        self._begin(self._scenario.n_agents, self._scenario.spawn(seeds), seeds)

    def _settle(self) -> None:
        """Let the units begin that were created, allies first."""
        if not self._born:
            return
        assert not self._f.alive.any(), "Units are created for empty maps only."
        born = sorted(self._born, key=lambda unit: unit[1])
        self._born = []
        kind = np.array([[kind for kind, _, _ in born]])
        place = np.array([place for _, _, place in born], np.float32).T[:, None]  # (2, 1, U)
        n_agents = sum(owner == ALLY for _, owner, _ in born)
        seeds = np.array([self._seed + self._generation])
        self._begin(n_agents, Spawn(kind, place, place.copy()), seeds)

    def _begin(self, n_agents: int, spawn: Spawn, seeds: np.ndarray) -> None:
        n_units = spawn.kind.shape[1]
        self._f = Fights(1, n_agents, n_units)
        self._f.begin(np.arange(1), seeds, spawn)
        self._orders = Orders(
            target=np.full((1, n_agents), -1),
            goal=self._f.place[:, :, :n_agents].copy(),
            walking=np.zeros((1, n_agents), bool),
        )
        self._generation += 1
        self._someone_died = False

    def _slot(self, tag: int) -> int | None:
        slot = tag - self._generation * GENERATION
        known = 0 <= slot < self._f.n_units and self._f.alive[0, slot]
        return slot if known else None

    def _living(self) -> Iterator[Unit]:
        f = self._f
        for slot in np.flatnonzero(f.alive[0]) if f.n_units else ():
            name = KINDS[f.kind[0, slot]]
            mine = slot < f.n_agents
            yield Unit(
                tag=self._generation * GENERATION + int(slot),
                number=self._own_types[name] if mine else NUMBERS[name],
                owner=ALLY if mine else ENEMY,
                x=float(f.x[0, slot]),
                y=float(f.y[0, slot]),
                life=float(f.health[0, slot]),
                life_max=float(f.life[0, slot]),
                shield=float(f.shield[0, slot]),
                shield_max=float(f.shield_max[0, slot]),
                energy=float(f.energy[0, slot]),
                cooldown=max(0.0, float(f.cooldown[0, slot])),
            )
