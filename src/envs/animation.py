"""Episodes as animated pictures, whatever environment they are of."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

from envs.batched import Array
from utils.errors import UserError

COLOURS = 64  # of a GIF


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
