"""Runs in a MongoDB, as Sacred's observer writes them: collections runs and metrics."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property, partial
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import bson
import pymongo
from pymongo.errors import PyMongoError

from configuration.mongo import masked, parse_address
from dashboard.library import ShownRun
from records.run_files import UnreadableRunError
from reporting.numbers import from_info, from_sacred
from reporting.records import Record
from reporting.series import Series
from utils.errors import UserError

ANSWER_WITHIN = 2000  # milliseconds
TRY_AGAIN = 10.0  # seconds after a failure
LATER = {"captured_out": False, "info": False, "experiment.sources": False, "resources": False}
STAMPED = {"status": True, "heartbeat": True, "stop_time": True}

Stamp = tuple[str, ...]  # changes with every heartbeat and at the end
Document = dict[str, Any]
RunNumber = int | bson.ObjectId  # as its _id has it
Found = TypeVar("Found")


@dataclass(frozen=True, eq=False)
class DatabaseRecord(Record):
    """A run whose numbers are fetched when they are first asked for. `folder` is a mere name."""

    fetch_metrics: Callable[[], Document] = field(kw_only=True)
    fetch_info: Callable[[], Document] = field(kw_only=True)

    @cached_property
    def metrics(self) -> Mapping[str, Series]:
        entries = self.fetch_metrics()
        if entries:
            return from_sacred(entries, self.run_id, self.started)
        return from_info(self._info, self.run_id)

    @property
    def notices(self) -> list[str]:
        """A database keeps its documents whole."""
        return []

    @cached_property
    def _info(self) -> Document:
        return self.fetch_info()


class Known(NamedTuple):
    """A document as it was when it was last fetched."""

    stamp: Stamp
    run: ShownRun | None  # None if it is no run of a known kind


class DatabaseRuns:
    """All runs of one database."""

    def __init__(self, url: str) -> None:
        try:
            address = parse_address(url)
            self._client: pymongo.MongoClient[Document] = pymongo.MongoClient(
                address.url,
                serverSelectionTimeoutMS=ANSWER_WITHIN,
                socketTimeoutMS=10 * ANSWER_WITHIN,
            )
        except (PyMongoError, ValueError) as error:
            raise UserError(f"mongo={masked(url)} cannot be: {masked(str(error))}") from error
        self.name = f"MongoDB {address.shown}"
        self._runs = self._client[address.database][address.collection]
        self._metrics_of_all = self._client[address.database].metrics
        self._known: dict[RunNumber, Known] = {}  # by _id, in its order
        self._lost_at: float | None = None

    def refresh(self) -> tuple[list[ShownRun], list[str]]:
        """What was there at last, and a complaint, while the database is away."""
        answers = self._update()
        runs = [known.run for known in self._known.values() if known.run]
        if not answers:
            return runs, [f"{self.name} does not answer."]
        odd = [number for number, known in self._known.items() if known.run is None]
        return runs, [f"{self.name}: run {number} names no environment." for number in odd]

    def _update(self) -> bool:
        """Whether the database answers; not tried again at once where it has just failed."""
        if self._lost_at is not None and time.monotonic() - self._lost_at < TRY_AGAIN:
            return False
        # What could not be read when it was lost may be now.
        before = self._known if self._lost_at is None else {}
        try:
            self._known = self._fetch(before)
        except PyMongoError:
            self._lost_at = time.monotonic()
            return False
        self._lost_at = None
        return True

    def _fetch(self, before: dict[RunNumber, Known]) -> dict[RunNumber, Known]:
        """All runs as they are now; documents, without what is long, where a stamp has changed."""
        stamps = {entry["_id"]: _stamp(entry) for entry in self._runs.find({}, STAMPED).sort("_id")}
        same = {
            number: before[number]
            for number, stamp in stamps.items()
            if number in before and before[number].stamp == stamp
        }
        changed = [number for number in stamps if number not in same]
        found = self._runs.find({"_id": {"$in": changed}}, LATER) if changed else ()
        fetched = {document["_id"]: self._known_from(document) for document in found}
        every = same | fetched
        return {number: every[number] for number in stamps if number in every}

    def _known_from(self, document: Document) -> Known:
        return Known(_stamp(document), self._run_from(document) if _is_run(document) else None)

    def _run_from(self, document: Document) -> ShownRun:
        number = document["_id"]
        record = DatabaseRecord(
            folder=Path(str(number)),
            config=document["config"],
            run={key: value for key, value in document.items() if key != "config"},
            fetch_metrics=partial(self._metrics, number),
            fetch_info=partial(self._field, number, "info", {}),
        )
        key = hashlib.sha256(f"{self.name} {number}".encode()).hexdigest()[:12]
        return ShownRun(key, self.name, record, partial(self._output, number))

    def _metrics(self, number: RunNumber) -> Document:
        with self._telling(number):
            found = self._metrics_of_all.find({"run_id": number})
            return {entry["name"]: entry for entry in found}

    def _field(self, number: RunNumber, name: str, usual: Found) -> Found:
        with self._telling(number):
            found = list(self._runs.find({"_id": number}, {name: True}))
            return (found[0].get(name) if found else None) or usual

    @contextmanager
    def _telling(self, number: RunNumber) -> Iterator[None]:
        """A database that goes away now makes this run unreadable, for the moment."""
        try:
            yield
        except PyMongoError as error:
            self._lost_at = time.monotonic()
            raise UnreadableRunError(f"{self.name}: run {number} cannot be read now.") from error

    def _output(self, number: RunNumber, most: int) -> tuple[str, bool]:
        text = str(self._field(number, "captured_out", ""))
        return text[-most:], len(text) > most


def _stamp(document: Document) -> Stamp:
    return tuple(str(document.get(key)) for key in STAMPED)


def _is_run(document: Document) -> bool:
    config = document.get("config")
    if not isinstance(config, dict) or not isinstance(config.get("env"), str):
        return False
    return isinstance(config.get("env_args", {}), dict)
