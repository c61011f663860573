"""The built-in opponent: it attack-moves to a point and takes on whom it notices on the way."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from envs.batched import Array
from envs.skirmish.fights import Fights
from envs.skirmish.units import MAY_HEAL
from utils.errors import UserError

FAR = np.float32(1e6)  # a distance at which nothing is noticed
ALARM = 32  # loops for which a unit that was hurt looks farther for who did it
ALARM_SIGHT = 8.0  # cells farther


@dataclass(frozen=True)
class Skill:
    """What the difficulty changes."""

    sight: float  # distance at which targets are noticed, from edge to edge
    delay: float  # loops of hesitation between attacks


SKILLS = {
    "1": Skill(4, 10),  # very easy
    "2": Skill(4.5, 8),  # easy
    "3": Skill(5, 6),  # medium
    "4": Skill(5.5, 5),  # medium hard
    "5": Skill(5.5, 4),  # hard
    "6": Skill(5.5, 3),  # harder
    "7": Skill(5.5, 2),  # very hard
    "8": Skill(6, 1),  # and SMAC's three that cheat: here they see farther
    "9": Skill(6.5, 0.5),
    "A": Skill(7, 0),
}


def find_skill(difficulty: str | int) -> Skill:
    key = str(difficulty).upper()
    if key not in SKILLS:
        raise UserError(
            f"difficulty is {difficulty!r}; Skirmish knows {', '.join(SKILLS)}. "
            'SMAC\'s usual one is difficulty: "7".'
        )
    return SKILLS[key]


class Opponent:
    """Chooses targets for the enemies' units; it keeps no state, the fights do."""

    def __init__(self, skill: Skill, hunts: bool) -> None:
        self._skill, self._hunts = skill, hunts

    def choose(self, f: Fights, gap: Array, alive: Array) -> Array:
        """(n, M) slots to attack or heal, -1 for none; `gap` (n, U, U) between centres."""
        N, U = f.n_agents, f.n_units
        M = U - N
        cost = self._costs(f, gap, alive)  # (n, M, U)
        best = cost.argmin(axis=2)
        corner = np.arange(f.n * M).reshape(f.n, M) * U
        flat = cost.reshape(-1)
        found = np.where(flat.take(corner + best) < self._limit(f), best, -1)
        old = f.target[:, N:]
        clamped = np.maximum(old, 0)
        radii = f.radius[:, N:] + f.radius.reshape(-1).take(clamped + np.arange(f.n)[:, None] * U)
        fighting = flat.take(corner + clamped) <= f.reach[:, N:] + radii
        return np.where(fighting & (old >= 0), old, found)

    def _costs(self, f: Fights, gap: Array, alive: Array) -> Array:
        """Distance to whom a unit may attack or heal; FAR for all others."""
        N = f.n_agents
        barred = ~alive[:, None] | ~self._eligible(f)
        return np.where(barred, FAR, gap[:, N:])  # (n, M, U)

    def _eligible(self, f: Fights) -> Array:
        """(n, M, U) whom each enemy can do something to."""
        N = f.n_agents
        eligible = np.zeros((f.n, f.n_units - N, f.n_units), bool)
        eligible[:, :, :N] = f.hittable
        if (f.healing[:, N:] > 0).any():
            mine, kind = f.kind[:, N:, None], f.kind[:, None]
            hurt = (f.health < f.life)[:, None, N:]
            eligible[:, :, N:] = MAY_HEAL[mine, kind[:, :, N:]] & hurt
        return eligible

    def _limit(self, f: Fights) -> Array:
        """(n, M) distance between centres at which targets are noticed."""
        if self._hunts:
            return np.full((f.n, f.n_units - f.n_agents), FAR / 2)
        N = f.n_agents
        sight = np.maximum(f.reach[:, N:], self._skill.sight) + f.radius[:, N:] + 0.5
        return sight + ALARM_SIGHT * (f.quiet[:, N:] < ALARM)
