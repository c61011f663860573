"""The curves of one run in the database, kept equal to those at hand."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

import bson
import pymongo
from pymongo.errors import PyMongoError

from mongo.documents import Document, Documents

Write = pymongo.InsertOne[Document] | pymongo.UpdateOne
SERIES = ("steps", "values", "timestamps")

Curve = dict[str, list[object]]  # steps, values, timestamps
Curves = dict[str, Curve]  # by metric


class OutOfStepError(PyMongoError):
    """A curve in the database is not what it was when it was last looked at."""


class Stored(NamedTuple):
    """A metric's document: its id, and how many points it has."""

    id: bson.ObjectId
    length: int


class StoredCurves:
    """Appends what is new, from where the database is; after any error it looks where that is."""

    def __init__(self, metrics: Documents, number: int) -> None:
        self._metrics, self._number = metrics, number
        self._known: dict[str, Stored] = {}

    def put(self, curves: Curves) -> dict[str, bson.ObjectId]:
        """Make the database have `curves`; returns the ids of their documents by name."""
        known, self._known = self._known, {}  # whatever goes wrong from here on, look again
        unknown = {name: series for name, series in curves.items() if name not in known}
        if unknown:
            known = {**known, **self._look_up(unknown)}
        writes = []
        for name, series in curves.items():
            stored = known.setdefault(name, Stored(bson.ObjectId(), 0))
            if write := self._write(name, series, stored):
                writes.append(write)
                known[name] = Stored(stored.id, len(series["steps"]))
        if writes:
            done = self._metrics.bulk_write(writes, ordered=False)
            if done.inserted_count + done.matched_count != len(writes):
                raise OutOfStepError("a curve has changed in the database")
        self._known = known
        return {name: stored.id for name, stored in known.items()}

    def drop_others(self, names: Iterable[str]) -> None:
        """Those that a run which went back to a checkpoint has not drawn again."""
        self._metrics.delete_many({"run_id": self._number, "name": {"$nin": list(names)}})

    def _look_up(self, curves: Curves) -> dict[str, Stored]:
        """What there is of `curves`; documents that are no beginnings of them are removed."""
        self._metrics.create_index([("run_id", 1), ("name", 1)])
        found: dict[str, Stored] = {}
        for document in self._metrics.find({"run_id": self._number, "name": {"$in": [*curves]}}):
            name = document["name"]
            if name not in found and begins(document, curves[name]):
                found[name] = Stored(document["_id"], len(document["steps"]))
            else:
                self._metrics.delete_one({"_id": document["_id"]})
        return found

    def _write(self, name: str, series: Curve, stored: Stored) -> Write | None:
        """What brings the stored curve up to `series`; None if it is."""
        new = {key: series[key][stored.length :] for key in SERIES}
        if not new["steps"]:
            return None
        if stored.length == 0:
            document = {"_id": stored.id, "run_id": self._number, "name": name, **new}
            return pymongo.InsertOne(document)
        as_it_was = {"_id": stored.id, "steps": {"$size": stored.length}}
        return pymongo.UpdateOne(as_it_was, {"$push": {k: {"$each": v} for k, v in new.items()}})


def begins(document: Document, series: Curve) -> bool:
    """Whether the stored curve is a beginning of `series`; NaN equals NaN here."""
    length = len(document["steps"])
    same = all(repr(document[key]) == repr(series[key][:length]) for key in ("steps", "values"))
    return same and length == len(document["timestamps"])
