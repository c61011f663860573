"""All runs that are shown, whatever source they come from, and which of them have new numbers."""

from __future__ import annotations

import itertools
import threading
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Protocol

from records.run_files import UnreadableRunError
from reporting.records import Record
from utils.json_values import JsonObject

PATIENCE = 1.0  # seconds of one request for numbers that were not read before


@dataclass(frozen=True, eq=False)
class ShownRun:
    """A run under the name that the page has for it. Made anew whenever the run has changed."""

    key: str  # letters and digits; says nothing of where the run is
    place: str
    record: Record
    output: Output
    version: int = field(default_factory=itertools.count().__next__)

    def read(self) -> str | None:
        """Read the numbers; a sentence if they cannot be."""
        try:
            _ = self.record.headline, self.record.environment
        except UnreadableRunError as error:
            return str(error)
        return None

    @property
    def environment(self) -> JsonObject | None:
        """What the run was played on; None if that cannot be read."""
        try:
            return self.record.environment
        except UnreadableRunError:
            return None


class Output(Protocol):
    """What a run has printed."""

    def __call__(self, most: int) -> tuple[str, bool]:
        """The last `most` characters, and whether that is not all."""


class Source(Protocol):
    """A place with runs."""

    name: str

    def refresh(self) -> tuple[list[ShownRun], list[str]]:
        """The runs as they are now, oldest first, and sentences about what cannot be read."""


@dataclass(frozen=True)
class Look:
    """What came of reading a run's numbers."""

    run: ShownRun
    problem: str | None
    good: ShownRun | None  # the newest of this run whose numbers could be read
    notices: tuple[str, ...] = ()  # about files that it can do without

    @staticmethod
    def at(run: ShownRun, before: Look | None) -> Look:
        """A run that is just being written is shown as it was, unless it has ended since."""
        problem = run.read()
        if problem is None:
            return Look(run, None, run, tuple(run.record.notices))
        good = before.good if before else None
        same = good is not None and good.record.run.get("status") == run.record.run.get("status")
        return Look(run, problem, good if same else None)


@dataclass
class Shelf:
    """What the library knows at one time."""

    runs: dict[str, ShownRun] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)
    unread: set[str] = field(default_factory=set)  # numbers come with a later request
    unreadable: set[str] = field(default_factory=set)


class Library:
    """Runs by key. One request at a time looks at the sources."""

    def __init__(self, sources: Sequence[Source]) -> None:
        self.sources = tuple(sources)
        self._lock = threading.RLock()
        self._looks: dict[str, Look] = {}  # the runs whose numbers are in memory

    @contextmanager
    def shelf(self, patience: float = PATIENCE) -> Iterator[Shelf]:
        """Everything as it is now. Newest numbers first; what takes too long stays `unread`."""
        with self._lock:
            shelf = Shelf()
            for source in self.sources:
                runs, problems = source.refresh()
                shelf.runs.update(_without_twins(runs, shelf.runs.values()))
                shelf.problems += problems
            self._read_numbers(shelf, patience)
            yield shelf

    def _read_numbers(self, shelf: Shelf, patience: float) -> None:
        until = time.monotonic() + patience
        newest_first = sorted(shelf.runs.items(), key=_began, reverse=True)
        for key, run in newest_first:
            if not self._has_read(run) and time.monotonic() > until:
                shelf.unread.add(key)
                continue
            look = self._look_at(run)
            shelf.problems += look.notices
            if look.problem is not None:
                shelf.problems.append(look.problem)
                if look.good is None:
                    shelf.unreadable.add(key)
                else:
                    shelf.runs[key] = look.good
        self._looks = {key: look for key, look in self._looks.items() if key in shelf.runs}

    def with_numbers(self, runs: Iterable[ShownRun]) -> list[ShownRun]:
        """Those whose numbers can be read; what is wrong with others is among the problems."""
        with self._lock:
            looks = [self._look_at(run) for run in runs]
        return [look.good for look in looks if look.good]

    def _has_read(self, run: ShownRun) -> bool:
        look = self._looks.get(run.key)
        return look is not None and (run is look.run or run is look.good)

    def _look_at(self, run: ShownRun) -> Look:
        if not self._has_read(run):
            self._looks[run.key] = Look.at(run, self._looks.get(run.key))
        return self._looks[run.key]


def _began(item: tuple[str, ShownRun]) -> str:
    return str(item[1].record.run.get("start_time", ""))


def _without_twins(runs: Iterable[ShownRun], known: Iterable[ShownRun]) -> dict[str, ShownRun]:
    """A run that is in a folder and in the database is shown once, from the folder."""
    tokens = {_token(run) for run in known} - {None}
    return {run.key: run for run in runs if _token(run) not in tokens}


def _token(run: ShownRun) -> str | None:
    token = run.record.config.get("unique_token")
    return token if isinstance(token, str) else None
