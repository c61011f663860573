"""Episodes as animated pictures, whatever environment they are of."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from envs.batched import Array
from utils.errors import UserError

COLOURS = 64  # of a GIF
PIXELS, DETAIL = 256, 2  # of pictures of discs: drawn larger, and then made smooth
GROUND = (247, 246, 243)

Colour = tuple[int, int, int]


def pillow() -> Any:
    """Pillow's modules, or a sentence on how to get them."""
    try:
        from PIL import Image, ImageDraw
    except ImportError as error:
        raise UserError("Pictures need Pillow: pip install -r requirements/render.txt") from error
    return Image, ImageDraw


def animation_path(folder: str, name: str) -> Path:
    """Where the animation called `name` goes; without a folder, to a temporary one."""
    return Path(folder or tempfile.mkdtemp(prefix="replay-")) / f"{name}.gif"


def save_animation(frames: list[Array], path: Path, frames_per_second: float = 4) -> None:
    """An animated GIF, or WebP by the name's end; it stays on the last frame for a moment."""
    image_module, _ = pillow()
    if path.suffix.lower() not in (".gif", ".webp"):
        raise UserError(f"{path.name}: animations are written as .gif or .webp.")
    images = [image_module.fromarray(frame) for frame in frames]
    if path.suffix.lower() == ".gif":
        images = [image.quantize(COLOURS, dither=0) for image in images]
    times = [round(1000 / frames_per_second)] * (len(images) - 1) + [2000]
    path.parent.mkdir(parents=True, exist_ok=True)
    images[0].save(path, save_all=True, append_images=images[1:], duration=times, loop=0)


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
