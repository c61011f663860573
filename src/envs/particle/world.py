"""Discs that are pushed, push each other, and slow down: the particle world of Lowe et al. (2017).

All arrays have a row for each copy of the world. Entities stand in this order: predators, prey,
landmarks; the first M of the E entities move.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from envs.batched import Array
from utils.errors import UserError, did_you_mean

SECONDS = 0.1  # a step
DAMPING = 0.25  # part of the velocity that is lost in a step
STIFFNESS = 100.0  # force of a contact per unit of depth
MARGIN = 1e-3  # distance over which a contact begins
PREDATOR, PREY, LANDMARK = 0.075, 0.05, 0.2  # radii
FASTEST = {"predator": 1.0, "prey": 1.3}
STRENGTH = 3.0  # of predators: the force of an action of 1. Prey's force is at most 1.
NEAREST = 1e-12  # discs at the same point have no direction in which to part


@dataclass(frozen=True)
class Scenario:
    """How many there are of what."""

    name: str
    n_predators: int
    n_prey: int
    n_landmarks: int

    @property
    def n_movers(self) -> int:
        return self.n_predators + self.n_prey

    @property
    def radii(self) -> Array:
        """(E,)"""
        counts = (self.n_predators, self.n_prey, self.n_landmarks)
        return np.repeat([PREDATOR, PREY, LANDMARK], counts)

    @property
    def speeds(self) -> Array:
        """The highest of each mover. (M,)"""
        return np.repeat(list(FASTEST.values()), (self.n_predators, self.n_prey))


SCENARIOS = {
    f"continuous_pred_prey_{n}a": Scenario(f"continuous_pred_prey_{n}a", n, n // 3, 2 * n // 3)
    for n in (3, 6, 9)
}


def find_scenario(name: str) -> Scenario:
    if name not in SCENARIOS:
        raise UserError(
            f"Unknown scenario_name '{name}' for env=particle.{did_you_mean(name, SCENARIOS)} "
            f"Known: {', '.join(SCENARIOS)}."
        )
    return SCENARIOS[name]


def move(scenario: Scenario, places: Array, velocities: Array, pushes: Array) -> None:
    """One step, in place: `places` (n, E, 2), `velocities` (n, M, 2), own forces (n, M, 2)."""
    forces = pushes + contacts(scenario, places)
    velocities *= 1 - DAMPING
    velocities += forces * SECONDS
    speed = np.sqrt(np.square(velocities).sum(axis=2))  # (n, M)
    allowed = np.minimum(1.0, scenario.speeds / np.maximum(speed, NEAREST))
    velocities *= allowed[:, :, None]
    places[:, : scenario.n_movers] += velocities * SECONDS


def contacts(scenario: Scenario, places: Array) -> Array:
    """What all others do to each mover: more, the deeper their discs overlap. (n, M, 2)

    Depth grows as a softplus, so contact begins gently. Nobody's weight matters.
    """
    M, radii = scenario.n_movers, scenario.radii
    apart = places[:, :M, None] - places[:, None]  # (n, M, E, 2)
    distance = np.sqrt(np.square(apart).sum(axis=3))  # (n, M, E)
    overlap = radii[:M, None] + radii - distance
    touching = overlap > -40 * MARGIN  # beyond, the softplus is 0 to 17 digits
    touching[:, np.arange(M), np.arange(M)] = False
    depth = np.zeros_like(distance)
    depth[touching] = np.logaddexp(0.0, overlap[touching] / MARGIN) * MARGIN
    strength = STIFFNESS * depth / np.maximum(distance, NEAREST)
    return (apart * strength[..., None]).sum(axis=2)


def touches(scenario: Scenario, places: Array) -> Array:
    """Pairs of predator and prey that touch. (n,)"""
    predators = places[:, : scenario.n_predators, None]
    prey = places[:, None, scenario.n_predators : scenario.n_movers]
    distance = np.sqrt(np.square(predators - prey).sum(axis=3))  # (n, predators, prey)
    return (distance < PREDATOR + PREY).sum(axis=(1, 2))
