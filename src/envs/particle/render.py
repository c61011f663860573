"""Pictures of a hunt: red predators, green prey, grey landmarks."""

from __future__ import annotations

from envs.animation import Colour, draw_discs
from envs.batched import Array
from envs.particle.world import Scenario

PREDATOR, PREY, LANDMARK = (196, 61, 46), (66, 160, 71), (150, 148, 142)
HALF_WIDTH = 1.6  # of the world that is shown; discs may leave it


def film(scenario: Scenario, history: list[Array]) -> list[Array]:
    """A frame for the places (E, 2) of each step."""
    counts = (scenario.n_predators, scenario.n_prey, scenario.n_landmarks)
    kinds = zip((PREDATOR, PREY, LANDMARK), counts, strict=True)
    colours: list[Colour] = [colour for colour, count in kinds for _ in range(count)]
    corner, side = (-HALF_WIDTH, -HALF_WIDTH), 2 * HALF_WIDTH
    return [draw_discs(places, scenario.radii, colours, corner, side) for places in history]
