"""Keeps `checksums.json` of a run's folder while the run writes it."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

from records.checksums import Checksums, DamagedError, read_checksums
from utils.files import CHUNK, digest_of, open_regular

CONSOLE, NUMBERS = "cout.txt", "metrics.csv"  # these grow; all others are replaced


class RunChecksums:
    """Every file that is replaced is announced first, so a killed run leaves what fits."""

    def __init__(self, folder: Path, resumed: bool) -> None:
        self._folder = folder
        self._sums = _earlier(folder) if resumed else Checksums()
        numbers = Growth(folder / NUMBERS, to_be_cut=resumed)
        self._growing = {CONSOLE: Growth(folder / CONSOLE), NUMBERS: numbers}

    def announce(self, name: str, draft: Path) -> None:
        """`draft` is about to become the file `name`."""
        self._sums.files[name] = [*self._sums.files.get(name, [])[-1:], digest_of(draft)]
        self._write()

    def rename(self, name: str, new_name: str) -> None:
        """A file is about to get another name."""
        if name in self._sums.files:
            self._sums.files[new_name] = self._sums.files.pop(name)
            self._write()

    def _write(self) -> None:
        known = {name: growth.so_far() for name, growth in self._growing.items()}
        self._sums.growing = {name: found for name, found in known.items() if found}
        self._sums.write(self._folder)


def _earlier(folder: Path) -> Checksums:
    """What an earlier session left; of two contents that a file may have, the one that it has."""
    try:
        known = read_checksums(folder) or Checksums()
    except DamagedError:
        return Checksums()
    return Checksums({name: _present(folder / name, every) for name, every in known.files.items()})


def _present(path: Path, allowed: list[str]) -> list[str]:
    try:
        found = digest_of(path)
    except OSError:
        return allowed
    return [found] if found in allowed else allowed


class Growth:
    """A file that only grows: how long it is and the checksum of that, read once each byte.

    The numbers of a resumed run are cut before they grow again; they do not count until then.
    """

    def __init__(self, path: Path, to_be_cut: bool = False) -> None:
        self._path = path
        self._ignored = path.stat().st_ino if to_be_cut and path.exists() else None
        self._start(inode=None)

    def _start(self, inode: int | None) -> None:
        self._inode, self._size, self._digest = inode, 0, hashlib.sha256()

    def so_far(self) -> tuple[int, str] | None:
        """Bytes and checksum; None if there is no such file yet."""
        try:
            with open_regular(self._path) as file:
                facts = os.fstat(file.fileno())
                if facts.st_ino == self._ignored:
                    return None
                if facts.st_ino != self._inode or facts.st_size < self._size:
                    self._start(facts.st_ino)
                file.seek(self._size)
                while chunk := file.read(CHUNK):
                    self._digest.update(chunk)
                    self._size += len(chunk)
        except OSError:
            return None
        return self._size, self._digest.hexdigest()
