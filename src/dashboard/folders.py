"""Runs in results folders, read again only where files have changed."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from dashboard.library import ShownRun
from records.checksums import FILE
from records.run_checksums import CONSOLE
from records.run_files import RunFiles, UnreadableRunError
from reporting.following import CsvFollower, Table
from reporting.records import Record, natural_order, read_record, read_table, run_folders
from utils.files import open_regular, reason

LOOK_AGAIN = 2.0  # seconds between two searches for new folders
WATCHED = ("config.json", "run.json", "info.json", "metrics.json", "metrics.csv", FILE)

Stamp = tuple[tuple[int, int, int] | None, ...]


@dataclass(frozen=True, eq=False)
class FolderRecord(Record):
    """A run whose metrics.csv is followed as it grows."""

    follower: CsvFollower = field(kw_only=True)
    root: Path | None = field(kw_only=True)

    @property
    def files(self) -> RunFiles:
        return RunFiles(self.folder, self.root)

    def _table(self) -> Table | None:
        return read_table(self.follower)


@dataclass
class Known:
    """A folder as it was when it was last read."""

    stamp: Stamp
    follower: CsvFollower
    run: ShownRun | None
    problem: str | None


class FolderRuns:
    """All runs below some folders."""

    def __init__(self, places: Sequence[Path]) -> None:
        self._places = [place.resolve() for place in places]
        self.name = ", ".join(str(place) for place in places)
        self._known: dict[Path, Known] = {}
        self._folders: list[Path] = []
        self._searched = float("-inf")

    def refresh(self) -> tuple[list[ShownRun], list[str]]:
        problems = self._search()
        self._known = {folder: self._look_at(folder) for folder in self._folders}
        found = self._known.values()
        problems += [known.problem for known in found if known.problem]
        return [known.run for known in found if known.run], problems

    def _search(self) -> list[str]:
        """Find new folders, now and then; a place that has gone is told of each time."""
        there = [place for place in self._places if place.is_dir()]
        if time.monotonic() - self._searched > LOOK_AGAIN:
            self._folders = sorted(set(run_folders(there)), key=natural_order)
            self._searched = time.monotonic()
        return [f"{place} is not there." for place in self._places if place not in there]

    def _look_at(self, folder: Path) -> Known:
        stamp = _stamp(folder)
        known = self._known.get(folder)
        if known and known.stamp == stamp:
            return known
        roots = (place for place in self._places if folder.is_relative_to(place))
        files = RunFiles(folder, next(roots, folder))
        follower = known.follower if known else CsvFollower(files)
        before = known.run if known else None
        try:
            read = read_record(folder, files.root)
        except UnreadableRunError as error:
            return Known(stamp, follower, before, str(error))
        if read.told and before:  # maybe it is just being written
            return Known(stamp, follower, before, " ".join(read.told))
        return Known(stamp, follower, _shown(read, files, follower), None)


def _shown(read: Record, files: RunFiles, follower: CsvFollower) -> ShownRun:
    folder = files.folder
    record = FolderRecord(
        folder, read.config, read.run, read.told, follower=follower, root=files.root
    )
    key = hashlib.sha256(str(folder).encode()).hexdigest()[:12]
    return ShownRun(key, str(folder.parent), record, partial(_tail, files))


def _stamp(folder: Path) -> Stamp:
    """What changes when one of the files does."""
    stamps: list[tuple[int, int, int] | None] = []
    for name in WATCHED:
        try:
            facts = (folder / name).stat()
        except OSError:
            stamps.append(None)
        else:
            stamps.append((facts.st_ino, facts.st_mtime_ns, facts.st_size))
    return tuple(stamps)


def _tail(files: RunFiles, most: int) -> tuple[str, bool]:
    path = files.folder / CONSOLE
    try:
        with open_regular(path, files.root) as file:
            size = file.seek(0, 2)
            file.seek(max(0, size - most))
            text = file.read().decode(errors="replace")
    except FileNotFoundError:
        return files.changed(CONSOLE) or "", False
    except OSError as error:
        return f"{path} cannot be read ({reason(error)}).", False
    changed = files.changed(CONSOLE)
    return f"{changed}\n{text}" if changed else text, size > most
