"""Saved episodes: from wherever an environment wrote them to results/replays."""

from __future__ import annotations

import shutil
from collections.abc import Iterable
from pathlib import Path

from utils.errors import UserError

HOW_TO_OPEN = {
    ".SC2Replay": "Open it in StarCraft II of the same version, on Windows or macOS: double-click, "
    "or copy it to the game's Replays folder (docs/starcraft.md).",
}

SHORT = 24  # lines of a replay that are shown at once


class ReplayNotSavedError(UserError):
    """The episodes were played all the same; `failure` is a sentence or a traceback."""

    exit_code = 3

    def __init__(self, failure: str) -> None:
        lines = failure.strip().splitlines()
        reason = lines[-1] if lines[0].startswith("Traceback") else failure
        super().__init__(f"A replay was not saved: {reason}")


def collect_replays(written: Iterable[str | None], folder: Path) -> list[str]:
    """Copy the files to `folder`; returns lines that say where they are and how to watch them."""
    copies = []
    for number, place in enumerate(written):
        if place is None:
            continue  # an environment of others, which keeps its place to itself
        source = Path(place)
        if not source.is_file():
            raise ReplayNotSavedError(f"the environment named {source}, which is not there.")
        folder.mkdir(parents=True, exist_ok=True)
        copies.append(folder / f"{number}_{source.name}")  # games may end in the same second
        shutil.copy2(source, copies[-1])
    hints = {HOW_TO_OPEN[copy.suffix] for copy in copies if copy.suffix in HOW_TO_OPEN}
    if not copies:
        return ["  the environment saved its replay at a place of its own"]
    return [
        *(f"  replay: {copy}" for copy in copies),
        *(f"  {hint}" for hint in sorted(hints)),
        *(f"    {line}" for line in short_text(copies[0])),
    ]


def short_text(path: Path) -> list[str]:
    """What a replay says, if it is a text that fits on a screen."""
    lines = path.read_text().splitlines() if path.suffix == ".txt" else []
    return lines if len(lines) <= SHORT else []
