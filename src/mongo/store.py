"""A database of runs as Sacred lays it out; every operation can be repeated without harm.

A connection that breaks leaves open whether the last write was made. So nothing is ever appended
blindly: numbers are inserted or found to be ours, documents are set whole, curves are continued
from where the database has them.
"""

from __future__ import annotations

import mimetypes
from pathlib import Path
from typing import Any

import bson
import gridfs
import pymongo
from pymongo.errors import ConfigurationError, DuplicateKeyError, InvalidName, PyMongoError
from pymongo.write_concern import WriteConcern
from sacred.dependencies import get_digest

from configuration.mongo import Address, masked
from mongo.curves import StoredCurves
from mongo.documents import Client, Document
from utils.errors import UserError
from utils.json_values import JsonObject

TIMEOUTS = {  # milliseconds, where the address does not say otherwise
    "serverSelectionTimeoutMS": 2_000,
    "connectTimeoutMS": 2_000,
    "socketTimeoutMS": 10_000,
}
MOST_INFO = 4_000_000  # bytes; a document holds 16 MB at most
MOST_OUTPUT = 1_000_000  # characters of captured output


class Store:
    """One database. Nothing is connected before the first question."""

    def __init__(self, address: Address) -> None:
        self.address = address
        options: dict[str, Any] = {
            k: v for k, v in TIMEOUTS.items() if k.lower() not in address.url.lower()
        }
        try:
            client: Client = pymongo.MongoClient(address.url, connect=False, **options)
            client[address.database][address.collection]  # are these names that can be?
        except (ConfigurationError, InvalidName, ValueError) as error:
            raise UserError(
                f"mongo={masked(address.url)} cannot be: {masked(str(error))}"
            ) from error
        # A write that is confirmed is also in the journal: it outlives a killed server.
        durable = WriteConcern(**{**client.write_concern.document, "j": True})
        database = client.get_database(address.database, write_concern=durable)
        self._client, self._database = client, database
        self._runs, self._metrics = database[address.collection], database["metrics"]
        # Hundreds of small files would wait for the disk hundreds of times: the document that
        # names them is written after them, and its entry in the journal stands behind theirs.
        self._files = gridfs.GridFS(client.get_database(address.database))

    def unreachable(self) -> str | None:
        """Why the database does not answer; None if it does."""
        try:
            self._database.list_collection_names()  # unlike a ping, this needs the permission
        except PyMongoError as error:
            return reason(error)
        return None

    # ------------------------------------------------------------ numbers

    def next_number(self) -> int:
        """One more than the highest number of a run."""
        numbers = self._runs.find({"_id": {"$type": "number"}}, {"_id": 1})
        highest = next(numbers.sort("_id", pymongo.DESCENDING).limit(1), {"_id": 0})
        return int(highest["_id"]) + 1

    def reserve(self, number: int, token: str) -> bool:
        """Whether the run `token` may have `number`; if so nobody else gets it."""
        placeholder = {"_id": number, "status": "QUEUED", "config": {"unique_token": token}}
        return self._insert(placeholder) or self._owner(number) == token

    def claim(self, number: int, token: str) -> int:
        """The number of the run `token`: `number` unless another run has that, then a free one."""
        if self.reserve(number, token):
            return number
        earlier = self._runs.find_one({"config.unique_token": token}, {"_id": 1})
        if earlier is not None:
            return int(earlier["_id"])
        number = self.next_number()
        while not self.reserve(number, token):
            number += 1
        return number

    def _insert(self, document: Document) -> bool:
        try:
            self._runs.insert_one(document)
        except DuplicateKeyError:
            return False
        return True

    def _owner(self, number: int) -> str | None:
        found = self._runs.find_one({"_id": number}, {"config.unique_token": 1}) or {}
        return found.get("config", {}).get("unique_token")

    # ------------------------------------------------------------ documents

    def put_run(self, number: int, entry: Document) -> None:
        """Make the run's document say `entry`."""
        entry = {**entry, "_id": number, "info": fitting(entry["info"])}
        entry["captured_out"] = entry["captured_out"][-MOST_OUTPUT:]
        self._runs.update_one({"_id": number}, {"$set": entry}, upsert=True)

    def curves(self, number: int) -> StoredCurves:
        return StoredCurves(self._metrics, number)

    # ------------------------------------------------------------ files

    def put_files(self, paths: dict[str, Path]) -> dict[str, bson.ObjectId]:
        """The ids of these files (stored name -> path); what is there already is not sent again."""
        digests = {name: get_digest(str(path)) for name, path in paths.items()}
        there = self._database["fs.files"].find(
            {"filename": {"$in": [*paths]}},  # this has an index
            {"filename": 1, "metadata.md5": 1},
        )
        ids = {
            (file["filename"], file.get("metadata", {}).get("md5")): file["_id"] for file in there
        }
        for name, path in paths.items():
            if (name, digests[name]) not in ids:
                ids[name, digests[name]] = self._files.put(
                    path.read_bytes(),
                    filename=name,
                    content_type=mimetypes.guess_type(path.name)[0],
                    metadata={"md5": digests[name]},
                )
        return {name: ids[name, digests[name]] for name in paths}

    def close(self) -> None:
        self._client.close()


def fitting(info: JsonObject) -> JsonObject:
    """`info`, without PyMARL's lists once they are too long: the curves have their points too."""
    if len(bson.encode(info)) <= MOST_INFO:
        return info
    small = {key: value for key, value in info.items() if not isinstance(value, list)}
    kept = {key: value for key, value in info.items() if key == "metrics"}
    return {**small, **kept, "left_out": "lists of values; the metrics collection has all points"}


def reason(error: Exception) -> str:
    """The first sentence of what went wrong."""
    if isinstance(error, pymongo.errors.ServerSelectionTimeoutError):
        return "no answer"
    return masked(str(error).split(", full error")[0].splitlines()[0]) or type(error).__name__
