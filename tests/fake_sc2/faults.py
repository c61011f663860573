"""Breaking a pretended game at a chosen request.

GAME_FAULT=<what>@<request>:<n>[,...] strikes at the n-th request of that kind in a process, once
for each line in the file GAME_FUSE, so that the game that replaces a broken one is spared.
GAME_LOOPS ends games after so many loops, as StarCraft II does after 2^19. The file GAME_EPISODES
gets a line for every episode begun.
"""

from __future__ import annotations

import fcntl
import os
from collections import Counter
from pathlib import Path

LAST_LOOP = int(os.environ.get("GAME_LOOPS", 2**19))


class Faults:
    """What is to break in this process."""

    def __init__(self) -> None:
        self._counts: Counter[str] = Counter()
        self._due: dict[tuple[str, int], str] = {}
        for fault in filter(None, os.environ.get("GAME_FAULT", "").split(",")):
            what, _, where = fault.partition("@")
            request, _, number = where.partition(":")
            self._due[request, int(number)] = what

    def strike(self, request: str) -> str | None:
        """Count the request; what strikes it, if anything."""
        self._counts[request] += 1
        what = self._due.get((request, self._counts[request]))
        return what if what and burn() else None


def burn() -> bool:
    """Take one line of the fuse; False if none is left."""
    with Path(os.environ["GAME_FUSE"]).open("r+") as fuse:
        fcntl.flock(fuse, fcntl.LOCK_EX)
        lines = fuse.read().splitlines()
        fuse.seek(0)
        fuse.truncate()
        fuse.write("\n".join(lines[1:]))
    return bool(lines)


def write_down(*pids: int) -> None:
    """For tests that look for survivors."""
    if place := os.environ.get("GAME_PIDS"):
        with Path(place).open("a") as file:
            file.writelines(f"{pid}\n" for pid in pids)


def note_episode() -> None:
    """For tests that count them."""
    if place := os.environ.get("GAME_EPISODES"):
        with Path(place).open("a") as file:
            file.write("an episode\n")
