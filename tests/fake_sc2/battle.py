"""The fight behind the protocol: units, orders, loops. Simple, deterministic but for its seed.

The server needs only this much of a battle: `units`, `loop`, `order`, `step`, `kill`, `create`.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from itertools import count

from tests.fake_sc2.scenarios import (
    KINDS,
    OWN_HYDRALISK_LIFE,
    SCENARIOS,
    TYPES_OF_SMACV2,
    Kind,
    Point,
)

OWN_TYPES = 2000  # the first number of the allies' types, which maps define themselves
ALLY, ENEMY = 1, 2
MOVE, ATTACK, STOP, HEAL = 16, 23, 4, 386
SIDE = 32.0
SHIELD_PAUSE, SHIELD_GAIN = 160, 2 / 16


@dataclass
class Unit:
    """One living unit."""

    tag: int
    kind: Kind
    number: int  # of its type, as the protocol shows it
    owner: int
    x: float
    y: float
    life: float
    life_max: float
    shield: float
    energy: float
    cooldown: float = 0.0
    unhurt: int = 0  # loops since it was last hit
    goal: Point | None = None
    target: int | None = None

    def distance(self, point: Point) -> float:
        return ((self.x - point[0]) ** 2 + (self.y - point[1]) ** 2) ** 0.5

    @property
    def place(self) -> Point:
        return self.x, self.y


@dataclass
class Battle:
    """All units of one game, respawned by the map when both sides are gone."""

    map_name: str
    seed: int
    loop: int = 0
    units: dict[int, Unit] = field(default_factory=dict)  # by tag, in the order of their birth

    def __post_init__(self) -> None:
        self._random = random.Random(self.seed)
        self._tags = count(100)
        scenario = self._scenario = SCENARIOS[self.map_name]
        names = sorted(scenario.allies) or TYPES_OF_SMACV2
        self._own_types = {name: OWN_TYPES + i for i, name in enumerate(names)}
        self._someone_died = False
        self._spawn()

    def order(self, tag: int, ability: int, point: Point | None, target: int | None) -> None:
        """Allies only; whoever is dead or unknown hears nothing."""
        unit = self.units.get(tag)
        if unit is not None and unit.owner == ALLY:
            unit.goal = point if ability == MOVE else None
            unit.target = target if ability in (ATTACK, HEAL) else None

    def step(self, loops: int) -> None:
        for _ in range(loops):
            self.loop += 1
            for unit in list(self.units.values()):
                if unit.tag in self.units:
                    self._act(unit)
            if not self.units and self._someone_died:
                self._spawn()

    def kill(self, tags: list[int]) -> None:
        for tag in tags:
            self._someone_died |= self.units.pop(tag, None) is not None

    def create(self, number: int, owner: int, place: Point) -> None:
        """By the number of the type, as SMACv2 does."""
        own = {own: name for name, own in self._own_types.items()}
        live = {kind.number: name for name, kind in KINDS.items()}
        name = own[number] if number in own else live[number]
        self._add(name, number, owner, place)

    def own_types(self) -> list[int]:
        return sorted(self._own_types.values())

    def _spawn(self) -> None:
        self._someone_died = False
        scenario = self._scenario
        for owner, team, start in (
            (ALLY, scenario.allies, scenario.ally_start),
            (ENEMY, scenario.enemies, scenario.enemy_start),
        ):
            for name in (name for name, number in team.items() for _ in range(number)):
                number = self._own_types[name] if owner == ALLY else KINDS[name].number
                x, y = (value + self._random.uniform(-1.5, 1.5) for value in start)
                self._add(name, number, owner, (x, y))

    def _add(self, name: str, number: int, owner: int, place: Point) -> None:
        kind, tag = KINDS[name], next(self._tags)
        own_hydralisk = name == "hydralisk" and owner == ALLY
        life = OWN_HYDRALISK_LIFE if own_hydralisk else kind.life
        self.units[tag] = Unit(
            tag, kind, number, owner, *place, life, life, kind.shield, kind.energy
        )

    def _act(self, unit: Unit) -> None:
        unit.cooldown = max(0.0, unit.cooldown - 1)
        unit.unhurt += 1
        if unit.unhurt > SHIELD_PAUSE:
            unit.shield = min(unit.kind.shield, unit.shield + SHIELD_GAIN)
        if unit.owner == ENEMY:
            self._choose(unit)
        target = self.units.get(unit.target) if unit.target is not None else None
        if target is None:
            if unit.goal is not None:
                self._move(unit, unit.goal)
        elif unit.distance(target.place) > unit.kind.reach:
            self._move(unit, target.place)
        elif unit.cooldown == 0:
            self._use(unit, target)

    def _choose(self, unit: Unit) -> None:
        """Enemies go for the nearest ally; medivacs follow without an effect."""
        allies = [other for other in self.units.values() if other.owner == ALLY]
        nearest = min(allies, key=lambda other: unit.distance(other.place), default=None)
        unit.target = nearest.tag if nearest else None

    def _use(self, unit: Unit, target: Unit) -> None:
        unit.cooldown = unit.kind.pause
        if unit.owner == target.owner:  # a medivac heals
            target.life = min(target.life_max, target.life + 12.6)
            return
        target.unhurt = 0
        through = max(0.0, unit.kind.damage - target.shield)
        target.shield = max(0.0, target.shield - unit.kind.damage)
        target.life -= through
        if target.life <= 0:
            self.kill([target.tag])

    @staticmethod
    def _move(unit: Unit, goal: Point) -> None:
        far = unit.distance(goal)
        share = min(1.0, unit.kind.speed / far) if far else 0.0
        unit.x = min(SIDE - 0.5, max(0.5, unit.x + share * (goal[0] - unit.x)))
        unit.y = min(SIDE - 0.5, max(0.5, unit.y + share * (goal[1] - unit.y)))
