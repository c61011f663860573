"""The engine: many fights, one game loop after the other, without a Python loop over them.

Every 4 loops (a quarter of a second) units look around and plan; in every loop they walk, attack
and heal. All attacks of a loop happen at the same time.
"""

from __future__ import annotations

import numpy as np

from envs.batched import Array
from envs.skirmish import combat, movement
from envs.skirmish.fights import Fights
from envs.skirmish.opponent import Opponent, Skill
from envs.skirmish.plan import THINK, Orders, Plan, Planner
from envs.skirmish.terrain import Terrain


class Engine:
    """The rules on one map; the state is in the fights that it is given."""

    def __init__(self, terrain: Terrain, skill: Skill, hunts: bool) -> None:
        self._terrain, self._delay = terrain, skill.delay
        self._planner = Planner(Opponent(skill, hunts), terrain)

    def advance(self, f: Fights, orders: Orders, loops: int) -> None:
        """Play `loops` game loops of all fights."""
        healers = bool((f.healing > 0).any())
        for start in range(0, loops, THINK):
            plan = self._planner.plan(f, orders)
            length = min(THINK, loops - start)
            for loop in range(length):
                self._loop(f, plan, healers, crowded=loop % 2 == 1)
            combat.recover(f, length)

    def _loop(self, f: Fights, plan: Plan, healers: bool, crowded: bool) -> None:
        """One loop; units make room for each other in every second one (`crowded`)."""
        offset, distance = self._aim(f, plan)
        outside = distance > plan.reach
        wanted = movement.walk(f, plan, offset, distance, outside)
        if crowded and len(plan.room):
            movement.make_room(plan, wanted, outside)
        if healers:
            combat.heal(f, plan, outside)
        firing = (f.cooldown <= 0) > outside
        if firing.any():
            combat.attack(f, plan, firing, self._delay)
        f.cooldown -= 1
        movement.settle(f, wanted, self._terrain)
        f.loops += 1

    @staticmethod
    def _aim(f: Fights, plan: Plan) -> tuple[Array, Array]:
        """From each unit to where it goes: (2, n, U) and the length of that."""
        offset = f.place.reshape(2, -1).take(plan.target, axis=1)
        np.copyto(offset, plan.aim, where=plan.astray)
        offset -= f.place
        square = offset * offset
        return offset, np.sqrt(square[0] + square[1])
