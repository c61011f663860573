"""Where prey runs: to the best of a hundred points around it, drawn anew at every step."""

from __future__ import annotations

import numpy as np

from envs.batched import Array
from envs.hashing import uniform
from envs.particle.world import PREDATOR, PREY, Scenario
from utils.errors import UserError

POINTS = 100
WAYPOINTS = 5  # looked at on the way, with score "sum"
SCORES = ("min", "sum")


class Prey:
    """Its force is the vector to the point that it chose, at most 1 long; 0 if all are blocked."""

    def __init__(self, scenario: Scenario, score: str) -> None:
        if score not in SCORES:
            raise UserError(f"score_function is {score!r}; it can be {' or '.join(SCORES)}.")
        self._scenario, self._score = scenario, score

    def forces(self, places: Array, seeds: Array, t: Array) -> Array:
        """For places (n, E, 2), seeds and steps (n,). (n, prey, 2)"""
        offsets = self.points(seeds, t)  # (n, prey, points, 2)
        scores = (
            self._nearest(places, offsets) if self._score == "min" else self._all(places, offsets)
        )
        best = scores.argmax(axis=2)[..., None, None]  # (n, prey, 1, 1)
        chosen = np.take_along_axis(offsets, best, axis=2)[:, :, 0]
        free = np.take_along_axis(scores, best[..., 0], axis=2) >= 0
        return chosen * free

    def points(self, seeds: Array, t: Array) -> Array:
        """Uniform in the unit disc. (n, prey, points, 2)"""
        n, P = len(seeds), self._scenario.n_prey
        drawn = uniform(seeds, P * POINTS * 2, 1 + t).reshape(n, P, POINTS, 2).astype(float)
        length, angle = np.sqrt(drawn[..., 0]), 2 * np.pi * drawn[..., 1]
        return np.stack([length * np.cos(angle), length * np.sin(angle)], axis=3)

    def _own(self, places: Array) -> Array:
        """(n, prey, 2)"""
        return places[:, self._scenario.n_predators : self._scenario.n_movers]

    def _nearest(self, places: Array, offsets: Array) -> Array:
        """The distance from the predator that is nearest now; -1 where a predator stands."""
        own, hunters = self._own(places), places[:, : self._scenario.n_predators]
        away = np.square(own[:, :, None] - hunters[:, None]).sum(axis=3)  # (n, prey, predators)
        nearest = away.argmin(axis=2)[:, :, None, None]  # (n, prey, 1, 1)
        distance = _distance(own[:, :, None] + offsets, hunters)  # (n, prey, points, predators)
        scores = np.take_along_axis(distance, nearest, axis=3)[..., 0]
        blocked = (distance < PREDATOR + PREY).any(axis=3)
        return np.where(blocked, -1.0, scores)

    def _all(self, places: Array, offsets: Array) -> Array:
        """The sum of distances from all who move; -1 where somebody stands on the way."""
        own, movers = self._own(places), places[:, : self._scenario.n_movers]
        others = _others(self._scenario)  # (prey, movers): not itself
        radii = self._scenario.radii[: self._scenario.n_movers]
        blocked = np.zeros(offsets.shape[:3], bool)
        for part in range(1, WAYPOINTS + 1):
            there = own[:, :, None] + offsets * (part / WAYPOINTS)
            distance = _distance(there, movers)  # (n, prey, points, movers)
            blocked |= ((distance < radii + PREY) & others[:, None]).any(axis=3)
        return np.where(blocked, -1.0, (distance * others[:, None]).sum(axis=3))


def _distance(points: Array, discs: Array) -> Array:
    """(n, prey, points, 2) and (n, discs, 2) -> (n, prey, points, discs)"""
    return np.sqrt(np.square(points[:, :, :, None] - discs[:, None, None]).sum(axis=4))


def _others(scenario: Scenario) -> Array:
    """Who is not the prey itself. (prey, movers)"""
    prey = np.arange(scenario.n_predators, scenario.n_movers)
    return prey[:, None] != np.arange(scenario.n_movers)
