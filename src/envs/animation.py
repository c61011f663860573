"""What pictures of several environments share."""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np

from envs.batched import Array
from utils.pictures import pillow

PIXELS, DETAIL = 256, 2  # of pictures of discs: drawn larger, and then made smooth
GROUND = (247, 246, 243)

Colour = tuple[int, int, int]


def animation_path(folder: str, name: str, kind: str = "gif") -> Path:
    """Where the animation called `name` goes; without a folder, to a temporary one."""
    return Path(folder or tempfile.mkdtemp(prefix="replay-")) / f"{name}.{kind}"


def draw_discs(
    places: Array, radii: Array, colours: list[Colour], corner: tuple[float, float], side: float
) -> Array:
    """A square of the world with discs at `places` (n, 2), the first ones on top.

    `corner` is the lower left one. (PIXELS, PIXELS, 3) uint8
    """
    image_module, draw_module = pillow()
    size = PIXELS * DETAIL
    image = image_module.new("RGB", (size, size), GROUND)
    draw = draw_module.Draw(image)
    scale = size / side
    for i in reversed(range(len(places))):
        x, y = (places[i, 0] - corner[0]) * scale, size - (places[i, 1] - corner[1]) * scale
        r = radii[i] * scale
        draw.ellipse((x - r, y - r, x + r, y + r), fill=colours[i])
    return np.asarray(image.resize((PIXELS, PIXELS), image_module.Resampling.LANCZOS))
