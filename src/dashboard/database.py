"""Runs in a MongoDB, as Sacred's observer writes them: collections runs and metrics."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path
from typing import Any

import pymongo
from pymongo.errors import PyMongoError

from dashboard.library import ShownRun
from reporting.records import Record, Series, UnreadableRunError, from_info, from_sacred
from utils.config.mongo import masked, parse_address
from utils.errors import UserError

ANSWER_WITHIN = 2000  # milliseconds
TRY_AGAIN = 10.0  # seconds after a failure
LATER = {"captured_out": False, "info": False, "experiment.sources": False, "resources": False}

Stamp = tuple[str, ...]  # changes with every heartbeat and at the end
Document = dict[str, Any]


@dataclass(frozen=True, eq=False)
class DatabaseRecord(Record):
    """A run whose numbers are fetched when they are first asked for. `folder` is a mere name."""

    fetch_metrics: Callable[[], Document]
    fetch_info: Callable[[], Document]

    @cached_property
    def metrics(self) -> Mapping[str, Series]:
        entries = self.fetch_metrics()
        if entries:
            return from_sacred(entries, self.folder, self.started)
        return from_info(self._info, self.folder)

    @cached_property
    def _info(self) -> Document:
        return self.fetch_info()


class DatabaseRuns:
    """All runs of one database."""

    def __init__(self, url: str) -> None:
        try:
            address = parse_address(url)
            self._client: Any = pymongo.MongoClient(
                address.url,
                serverSelectionTimeoutMS=ANSWER_WITHIN,
                socketTimeoutMS=10 * ANSWER_WITHIN,
            )
        except (PyMongoError, ValueError) as error:
            raise UserError(f"mongo={masked(url)} cannot be: {masked(str(error))}") from error
        self.name = f"MongoDB {address.shown}"
        self._runs = self._client[address.database][address.collection]
        self._metrics_of_all = self._client[address.database].metrics
        self._known: dict[Any, tuple[Stamp, ShownRun]] = {}
        self._lost_at: float | None = None

    def refresh(self) -> tuple[list[ShownRun], list[str]]:
        """What was there at last, and a complaint, while the database is away."""
        documents = self._ask()
        if documents is None:
            return [run for _, run in self._known.values()], [f"{self.name} does not answer."]
        problems, known = [], {}
        for document in documents:
            if _is_run(document):
                known[document["_id"]] = self._look_at(document)
            else:
                problems.append(f"{self.name}: run {document['_id']} names no environment.")
        self._known = known
        return [run for _, run in known.values()], problems

    def _ask(self) -> list[Document] | None:
        """All runs, without what is long; not tried again at once where it has just failed."""
        lost_at = self._lost_at
        if lost_at is not None and time.monotonic() - lost_at < TRY_AGAIN:
            return None
        try:
            documents = list(self._runs.find({}, LATER).sort("_id", 1))
        except PyMongoError:
            self._lost_at = time.monotonic()
            return None
        if lost_at is not None:
            self._lost_at, self._known = None, {}  # what could not be read then may be now
        return documents

    def _look_at(self, document: Document) -> tuple[Stamp, ShownRun]:
        number = document["_id"]
        stamp = tuple(str(document.get(key)) for key in ("status", "heartbeat", "stop_time"))
        if number in self._known and self._known[number][0] == stamp:
            return self._known[number]
        record = DatabaseRecord(
            folder=Path(str(number)),
            config=document["config"],
            run={key: value for key, value in document.items() if key != "config"},
            fetch_metrics=partial(self._metrics, number),
            fetch_info=partial(self._field, number, "info", {}),
        )
        key = hashlib.sha256(f"{self.name} {number}".encode()).hexdigest()[:12]
        return stamp, ShownRun(key, self.name, record, partial(self._output, number))

    def _metrics(self, number: Any) -> Document:
        with self._telling(number):
            found = self._metrics_of_all.find({"run_id": number})
            return {entry["name"]: entry for entry in found}

    def _field(self, number: Any, name: str, usual: Any) -> Any:
        with self._telling(number):
            found = list(self._runs.find({"_id": number}, {name: True}))
            return (found[0].get(name) if found else None) or usual

    @contextmanager
    def _telling(self, number: Any) -> Iterator[None]:
        """A database that goes away now makes this run unreadable, for the moment."""
        try:
            yield
        except PyMongoError as error:
            self._lost_at = time.monotonic()
            raise UnreadableRunError(f"{self.name}: run {number} cannot be read now.") from error

    def _output(self, number: Any, most: int) -> tuple[str, bool]:
        text = str(self._field(number, "captured_out", ""))
        return text[-most:], len(text) > most


def _is_run(document: Document) -> bool:
    config = document.get("config")
    if not isinstance(config, dict) or "env" not in config:
        return False
    return isinstance(config.get("env_args", {}), dict)
