"""Runs in results folders, read again only where files have changed."""

from __future__ import annotations

import csv
import hashlib
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path

from dashboard.following import CsvFollower
from dashboard.library import ShownRun
from reporting.records import (
    Record,
    Series,
    UnreadableRunError,
    natural_order,
    read_record,
    run_folders,
)

LOOK_AGAIN = 2.0  # seconds between two searches for new folders
WATCHED = ("config.json", "run.json", "info.json", "metrics.json", "metrics.csv")

Stamp = tuple[tuple[int, int, int] | None, ...]


@dataclass(frozen=True, eq=False)
class FolderRecord(Record):
    """A run whose metrics.csv is followed as it grows."""

    follower: CsvFollower

    @cached_property
    def metrics(self) -> Mapping[str, Series]:
        try:
            return self.follower.read()
        except FileNotFoundError:
            return super().metrics
        except (OSError, csv.Error, OverflowError) as error:
            raise UnreadableRunError(f"{self.follower.path} cannot be read ({error}).") from error


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
        follower = known.follower if known else CsvFollower(folder / "metrics.csv")
        try:
            read = read_record(folder)
        except UnreadableRunError as error:  # maybe it is just being written
            return Known(stamp, follower, known.run if known else None, str(error))
        record = FolderRecord(folder, read.config, read.run, follower)
        key = hashlib.sha256(str(folder).encode()).hexdigest()[:12]
        output = partial(_tail, folder / "cout.txt")
        return Known(stamp, follower, ShownRun(key, str(folder.parent), record, output), None)


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


def _tail(path: Path, most: int) -> tuple[str, bool]:
    try:
        with path.open("rb") as file:
            size = file.seek(0, 2)
            file.seek(max(0, size - most))
            return file.read().decode(errors="replace"), size > most
    except FileNotFoundError:
        return "", False
    except OSError as error:
        return f"{path} cannot be read ({error.strerror}).", False
