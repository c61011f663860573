"""Frames, (height, width, 3) arrays of bytes, as an animation or in a window."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from utils.errors import UserError
from utils.program import MAIN, install

INSTALL = install("render")
FRAMES_PER_SECOND = 4.0
LAST_FRAME_SECONDS = 2.0
FORMATS = (".gif", ".webp", ".mp4")


def pillow() -> Any:
    """Pillow's modules, or a sentence on how to get them."""
    try:
        from PIL import Image, ImageDraw
    except ImportError as error:
        raise UserError(f"Pictures need Pillow: {INSTALL}") from error
    return Image, ImageDraw


def save_animation(
    frames: Sequence[np.ndarray], path: Path, frames_per_second: float = FRAMES_PER_SECOND
) -> None:
    """A .gif, .webp or .mp4 by the name's end; it stays on the last frame for a moment."""
    kind = path.suffix.lower()
    if kind not in FORMATS:
        raise UserError(f"{path.name}: animations are written as {', '.join(FORMATS)}.")
    path.parent.mkdir(parents=True, exist_ok=True)
    if kind == ".mp4":
        _save_film(frames, path, frames_per_second)
        return
    image_module, _ = pillow()
    images = [image_module.fromarray(frame) for frame in frames]
    if kind == ".gif":
        images = [image.quantize(64, dither=0) for image in images]
    times = [round(1000 / frames_per_second)] * (len(images) - 1)
    times.append(round(1000 * LAST_FRAME_SECONDS))
    images[0].save(path, save_all=True, append_images=images[1:], duration=times, loop=0)


def _save_film(frames: Sequence[np.ndarray], path: Path, frames_per_second: float) -> None:
    try:
        import imageio_ffmpeg
    except ImportError as error:
        raise UserError(f"{path.name} needs a package: {INSTALL}") from error
    height, width = frames[0].shape[:2]
    height, width = height - height % 2, width - width % 2  # the codec wants even numbers
    writer = imageio_ffmpeg.write_frames(
        str(path), (width, height), fps=frames_per_second, macro_block_size=2
    )
    writer.send(None)
    last = [frames[-1]] * round(LAST_FRAME_SECONDS * frames_per_second)
    for frame in [*frames, *last]:
        writer.send(np.ascontiguousarray(frame[:height, :width]))
    writer.close()


class Window:
    """Shows one frame after the other; closing it stops the program as Ctrl-C does."""

    def __init__(self, title: str, frames_per_second: float = FRAMES_PER_SECOND) -> None:
        os.environ.setdefault("PYGAME_HIDE_SUPPORT_PROMPT", "1")
        try:
            import pygame
        except ImportError as error:
            raise UserError(f"A window needs a package: {INSTALL}") from error
        self._pygame, self._title, self._pace = pygame, title, frames_per_second
        self._clock = pygame.time.Clock()
        self._screen: Any = None

    def show(self, frame: np.ndarray) -> None:
        """Show `frame`, and wait until it is time for the next one."""
        pygame = self._pygame
        height, width = frame.shape[:2]
        if self._screen is None or self._screen.get_size() != (width, height):
            self._screen = self._open(width, height)
        if any(event.type == pygame.QUIT for event in pygame.event.get()):
            raise KeyboardInterrupt
        self._screen.blit(pygame.surfarray.make_surface(frame.swapaxes(0, 1)), (0, 0))
        pygame.display.flip()
        self._clock.tick(self._pace)

    def _open(self, width: int, height: int) -> Any:
        pygame = self._pygame
        try:
            pygame.display.init()
            screen = pygame.display.set_mode((width, height))
        except pygame.error as error:
            raise UserError(
                f"No window can be opened here ({error}). Without render=True an animation is "
                f"written, by {MAIN} replay."
            ) from error
        pygame.display.set_caption(self._title)
        return screen
