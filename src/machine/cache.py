"""What is found out once about a processor, kept in the user's cache folder.

Nothing depends on it but time: where it cannot be read or written, it is found out again.
"""

from __future__ import annotations

import contextlib
import json
import os
import tempfile
from pathlib import Path

from machine.processor import processor
from utils.json_values import JsonObject


def cache_folder() -> Path | None:
    """A processor's own, below `$PYMARLK_CACHE`, `$XDG_CACHE_HOME/pymarlk` or `~/.cache/pymarlk`.

    None where nobody has a home.
    """
    if own := os.environ.get("PYMARLK_CACHE"):
        return Path(own).absolute() / processor()
    shared = Path(os.environ.get("XDG_CACHE_HOME", ""))
    try:
        root = shared if shared.is_absolute() else Path.home() / ".cache"
    except RuntimeError:
        return None
    return root / "pymarlk" / processor()


def read_json(folder: Path | None, name: str) -> JsonObject:
    """What `write_json` has left; nothing if that is no more to be had."""
    if folder is None:
        return {}
    try:
        content = json.loads((folder / name).read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return {}
    return content if isinstance(content, dict) else {}


def write_json(folder: Path | None, name: str, content: JsonObject) -> None:
    """Whole or not at all, also if two runs write at once."""
    if folder is None:
        return
    with contextlib.suppress(OSError):
        place_bytes(folder / name, (json.dumps(content, indent=1) + "\n").encode())


def place_bytes(path: Path, content: bytes) -> None:
    """Into a file of its own beside `path`, which then takes its name."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, draft = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
        Path(draft).replace(path)
    except BaseException:
        Path(draft).unlink(missing_ok=True)
        raise
