"""Pictures of the theory: where they go, and how they are drawn."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from utils.errors import UserError
from utils.files import reason
from utils.places import results_folder
from utils.program import install

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Paint = Callable[["Axes"], None]


def folder_of(command: str, argv: list[str]) -> Path:
    """Made, and known to take files, before anything is computed."""
    if len(argv) > 1 or any(word.startswith("-") for word in argv):
        raise UserError(
            f"{command} {' '.join(argv)}: give nothing, or one folder for the pictures."
        )
    folder = Path(argv[0]) if argv else results_folder() / command
    try:
        folder.mkdir(parents=True, exist_ok=True)
        tempfile.TemporaryFile(dir=folder).close()
    except OSError as error:
        raise UserError(
            f"The pictures cannot be written to {folder}: {reason(error)}. "
            f"Give another folder: {command} FOLDER"
        ) from error
    return folder


def draw(folder: Path, pictures: Mapping[str, Paint]) -> list[Path]:
    """One PNG file for each."""
    try:
        import matplotlib
    except ImportError as error:
        raise UserError(f"The pictures need a package: {install('plots')}") from error
    matplotlib.use("Agg")
    from matplotlib import pyplot

    paths = []
    for name, paint in pictures.items():
        figure, axes = pyplot.subplots(figsize=(6, 4.5), layout="constrained")
        paint(axes)
        paths.append(folder / f"{name}.png")
        figure.savefig(paths[-1], dpi=120)
        pyplot.close(figure)
    return paths
