"""What several tests of Skirmish need: random players, and fights made by hand."""

from __future__ import annotations

from typing import Any

import numpy as np

from envs.skirmish.engine import Engine
from envs.skirmish.fights import Fights, Spawn
from envs.skirmish.maps import OPEN
from envs.skirmish.opponent import Skill
from envs.skirmish.plan import Orders
from envs.skirmish.terrain import terrain_of
from envs.skirmish.units import KIND

EXACT = Skill(5.5, 0)  # no hesitation


def random_actions(env: Any, rows: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """(n, N) uniform over what is available."""
    avail = env.avail[rows]
    return (avail * random.random(avail.shape)).argmax(axis=2)


class Duel:
    """One fight between units that stand where a test puts them: [(kind, x, y), ...]."""

    def __init__(self, allies: list, enemies: list, ground: str = OPEN, goal: Any = None) -> None:
        units = allies + enemies
        self.N, self.U = len(allies), len(units)
        self.f = Fights(1, self.N, self.U)
        kind = np.array([[KIND[name] for name, _, _ in units]])
        place = np.array([[[x for _, x, _ in units]], [[y for _, _, y in units]]], np.float32)
        aim = place if goal is None else np.broadcast_to(np.reshape(goal, (2, 1, 1)), place.shape)
        self.f.begin(np.arange(1), np.arange(1), Spawn(kind, place, aim))
        self.f.noise[...] = 0  # attacks come exactly at their period
        self.engine = Engine(terrain_of(ground), EXACT, hunts=False)

    def advance(self, loops: int, target: Any = None, goal: Any = None) -> Duel:
        """Targets are slots (-1: none), goals are points; without either, agents stand."""
        targets = np.full((1, self.N), -1) if target is None else np.array([target])
        walking = np.full((1, self.N), goal is not None)
        goals = self.f.place[:, :, : self.N].copy()
        if goal is not None:
            goals[...] = np.reshape(goal, (2, 1, 1))
        self.engine.advance(self.f, Orders(targets, goals, walking), loops)
        return self

    def health(self, slot: int) -> float:
        return float(self.f.health[0, slot])

    def shield(self, slot: int) -> float:
        return float(self.f.shield[0, slot])

    def at(self, slot: int) -> tuple[float, float]:
        return float(self.f.x[0, slot]), float(self.f.y[0, slot])
