"""What earlier runs left on this machine, by what /proc tells; nothing where there is none."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from machine.processes import PROC, status_bytes

FOLDERS = "sc-*"  # pysc2's temporary folders, one a game


def orphans() -> list[int]:
    """Games of this user whose parent is gone: init or the user's systemd has adopted them."""
    return [pid for pid, parent, words in _own_processes() if _is_game(words) and _adopts(parent)]


def dead_folders() -> list[Path]:
    """Temporary folders of pysc2 that no living game uses."""
    if not PROC.is_dir():
        return []  # nobody tells which of them are in use
    in_use = " ".join(word for _, _, words in _own_processes() for word in words)
    found = Path(tempfile.gettempdir()).glob(FOLDERS)
    return sorted(
        folder
        for folder in found
        if folder.is_dir() and folder.stat().st_uid == os.getuid() and str(folder) not in in_use
    )


def resident_memory(env: Any) -> int | None:
    """Bytes that the game of `env` holds now."""
    process = env._game.process
    pid = getattr(process, "pid", None)
    return status_bytes(PROC / str(pid), "VmRSS") if pid else None


def _own_processes() -> Iterator[tuple[int, int, list[str]]]:
    """(pid, parent's pid, command line) of every process of this user."""
    for folder in PROC.glob("[0-9]*"):
        try:
            if folder.stat().st_uid != os.getuid():
                continue
            words = (folder / "cmdline").read_bytes().decode(errors="replace").split("\0")
            state = (folder / "stat").read_text().rsplit(")", 1)[1].split()
        except (OSError, IndexError):
            continue  # it has just ended
        yield int(folder.name), int(state[1]), words


def _adopts(pid: int) -> bool:
    """In a container number 1 may be a run itself."""
    try:
        program = Path(os.fsdecode((PROC / str(pid) / "cmdline").read_bytes().split(b"\0")[0])).name
    except OSError:
        program = ""
    return program == "systemd" or (pid == 1 and "python" not in program)


def _is_game(words: list[str]) -> bool:
    return any(Path(word).name.startswith("SC2_x64") for word in words[:2])
