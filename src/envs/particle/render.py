"""Pictures of a hunt: red predators, green prey, grey landmarks."""

from __future__ import annotations

import numpy as np

from envs.animation import pillow
from envs.batched import Array
from envs.particle.world import Scenario

GROUND = (247, 246, 243)
PREDATOR, PREY, LANDMARK = (196, 61, 46), (66, 160, 71), (150, 148, 142)
HALF_WIDTH = 1.6  # of the world that is shown; discs may leave it
PIXELS, DETAIL = 256, 2  # drawn larger, and then made smooth


def film(scenario: Scenario, history: list[Array]) -> list[Array]:
    """A frame (PIXELS, PIXELS, 3) for the places (E, 2) of each step."""
    return [frame(scenario, places) for places in history]


def frame(scenario: Scenario, places: Array) -> Array:
    image_module, draw_module = pillow()
    size = PIXELS * DETAIL
    image = image_module.new("RGB", (size, size), GROUND)
    draw = draw_module.Draw(image)
    scale = size / (2 * HALF_WIDTH)
    counts = (scenario.n_predators, scenario.n_prey, scenario.n_landmarks)
    colours = [c for c, n in zip((PREDATOR, PREY, LANDMARK), counts, strict=True) for _ in range(n)]
    for entity in reversed(range(len(places))):  # landmarks lie below
        x = (places[entity, 0] + HALF_WIDTH) * scale
        y = (HALF_WIDTH - places[entity, 1]) * scale
        r = scenario.radii[entity] * scale
        draw.ellipse((x - r, y - r, x + r, y + r), fill=colours[entity])
    return np.asarray(image.resize((PIXELS, PIXELS), image_module.Resampling.LANCZOS))
