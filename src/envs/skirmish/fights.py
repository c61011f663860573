"""The state of n fights at once: two arrays whose layers are named, one number for each unit."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from envs.batched import Array
from envs.hashing import uniform
from envs.skirmish.terrain import AIR, GROUND
from envs.skirmish.units import DAMAGE, LOOPS_PER_SECOND, TABLE

# What changes, and what follows from a unit's kind; each is a layer of `Fights.numbers`.
CHANGING = ("x", "y", "goal_x", "goal_y", "health", "shield", "energy", "cooldown", "quiet")
FIXED = ("life", "shield_max", "radius", "speed", "reach", "period", "healing")
LAYERS = {name: layer for layer, name in enumerate(CHANGING + FIXED)}
NEVER = np.float32(1e9)  # the cooldown of the unarmed
LONG_AGO = np.float32(1e6)  # loops since units were last hurt, at the start
NOISE_SLOTS = 64  # loops after which random delays repeat
DELAY_LEAST, DELAY_MOST = -1.0, 2.0  # loops by which an attack may come early or late
DELAYS = 1  # stream of random numbers; spawns have their own


@dataclass
class Spawn:
    """How fights begin: kinds (n, U), places and enemies' goals (2, n, U)."""

    kind: Array
    place: Array
    goal: Array


class Fights:
    """n fights of U units; the first N are the agents'. No fight's numbers depend on another's."""

    health: Array
    shield: Array
    energy: Array
    cooldown: Array  # loops until the next attack; at most 0 is ready
    quiet: Array  # loops since the unit was hurt
    life: Array
    shield_max: Array
    radius: Array
    speed: Array  # cells a loop
    reach: Array  # of weapon or beam, from edge to edge
    period: Array  # loops between attacks
    healing: Array  # life a loop

    def __init__(self, n_fights: int, n_agents: int, n_units: int) -> None:
        self.n, self.n_agents, self.n_units = n_fights, n_agents, n_units
        self.numbers = np.zeros((len(LAYERS), n_fights, n_units), np.float32)
        self.kind = np.zeros((n_fights, n_units), np.int64)
        self.begun = np.zeros(n_fights, bool)  # whether what follows from kinds is known
        n_enemies = n_units - n_agents
        self.hittable = np.zeros((n_fights, n_enemies, n_agents), bool)  # by each enemy
        self.target = np.full((n_fights, n_units), -1, np.int64)  # slot, or -1
        self.layer = np.zeros((n_fights, n_units), np.int64)  # of the terrain: ground or air
        self.noise = np.zeros((n_fights, NOISE_SLOTS, n_units), np.float32)
        self.rows = np.arange(n_fights)  # which rows of `noise` are these fights'
        self.loops = np.zeros(n_fights, np.int64)  # since the fight began
        self._name_layers()

    def _name_layers(self) -> None:
        """Views, so that engines write `fights.health` and not numbers of layers."""
        self.place = self.numbers[:2]  # (2, n, U)
        self.goal = self.numbers[2:4]
        self.x, self.y = self.place
        for name in CHANGING[4:] + FIXED:
            setattr(self, name, self.numbers[LAYERS[name]])

    @property
    def alive(self) -> Array:
        return self.health > 0

    def begin(self, rows: Array, seeds: Array, spawn: Spawn) -> None:
        """Start new fights in `rows` (n,)."""
        kind, numbers, N = spawn.kind, self.numbers, self.n_agents
        if not np.array_equal(self.kind[rows], kind) or not self.begun[rows].all():
            for layer, values in _stats(kind).items():
                numbers[LAYERS[layer], rows] = values
            self.kind[rows], self.begun[rows] = kind, True
            self.hittable[rows] = DAMAGE[kind[:, N:, None], kind[:, None, :N]] > 0
            self.layer[rows] = np.where(TABLE["flies"][kind] > 0, AIR, GROUND)
        numbers[0:2, rows], numbers[2:4, rows] = spawn.place, spawn.goal
        for layer, start in (("health", "life"), ("shield", "shield_max")):
            numbers[LAYERS[layer], rows] = numbers[LAYERS[start], rows]
        numbers[LAYERS["energy"], rows] = TABLE["energy"][kind]
        numbers[LAYERS["cooldown"], rows] = np.where(TABLE["damage"][kind] > 0, 0, NEVER)
        numbers[LAYERS["quiet"], rows] = LONG_AGO
        self.target[rows], self.loops[rows] = -1, 0
        drawn = uniform(seeds, NOISE_SLOTS * self.n_units, DELAYS)
        spread = DELAY_LEAST + (DELAY_MOST - DELAY_LEAST) * drawn
        self.noise[rows] = spread.reshape(len(rows), NOISE_SLOTS, self.n_units)

    def take(self, rows: Array) -> Fights:
        """A compact copy of some fights."""
        part = Fights.__new__(Fights)
        part.n, part.n_agents, part.n_units = len(rows), self.n_agents, self.n_units
        part.numbers = self.numbers.take(rows, axis=1)
        part.noise, part.rows = self.noise, rows  # never changes during a fight, and is large
        for name in ("kind", "begun", "hittable", "target", "layer", "loops"):
            setattr(part, name, getattr(self, name)[rows])
        part._name_layers()
        return part

    def put(self, rows: Array, part: Fights) -> None:
        """Write back what may have changed in a copy."""
        changing = len(CHANGING)
        self.numbers[:changing, rows] = part.numbers[:changing]
        self.target[rows], self.loops[rows] = part.target, part.loops


def _stats(kind: Array) -> dict[str, Array]:
    return {
        "life": TABLE["life"][kind],
        "shield_max": TABLE["shield"][kind],
        "radius": TABLE["radius"][kind],
        "speed": TABLE["speed"][kind] / LOOPS_PER_SECOND,
        "reach": TABLE["range"][kind],
        "period": TABLE["period"][kind] * LOOPS_PER_SECOND,
        "healing": TABLE["heals"][kind] / LOOPS_PER_SECOND,
    }
