"""What pictures of several environments share."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from envs.batched import Array
from utils.errors import UserError
from utils.pictures import FORMATS, FRAMES_PER_SECOND, Window, pillow, save_animation

PIXELS, DETAIL = 256, 2  # of pictures of discs: drawn larger, and then made smooth
GROUND = (247, 246, 243)

Colour = tuple[int, int, int]


@dataclass
class Screen:
    """Where an environment's pictures go: to a file or, one by one, to a window."""

    title: str
    folder: str = ""  # empty is a temporary one
    kind: str = "gif"  # of file
    frames_per_second: float = FRAMES_PER_SECOND
    _window: Window | None = field(default=None, init=False)

    def __post_init__(self) -> None:
        if f".{self.kind}" not in FORMATS:
            known = ", ".join(name[1:] for name in FORMATS)
            raise UserError(f"replay_format is {self.kind!r}; it can be {known}.")

    def save(self, frames: Sequence[Array], name: str) -> str:
        """The file with the animation called `name`."""
        folder = Path(self.folder or tempfile.mkdtemp(prefix="replay-"))
        path = folder / f"{name}.{self.kind}"
        save_animation(frames, path, self.frames_per_second)
        return str(path)

    def show(self, frame: Array) -> None:
        if self._window is None:
            self._window = Window(self.title, self.frames_per_second)
        self._window.show(frame)


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
