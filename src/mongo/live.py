"""A run that is mirrored while it goes on: its number, its courier, and how it says good-bye."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

from pymongo.errors import PyMongoError

from configuration.mongo import parse_address
from mongo.courier import Courier
from mongo.mirror import RunMirror
from mongo.store import Store, reason
from records.tracking import RunFolder, read_json, session_facts
from utils.json_values import JsonObject
from utils.logging import get_logger
from utils.program import MAIN

PATIENCE = 15.0  # seconds at the end for a database that was there before
MARK = "mongo.json"  # in a run's folder: what has been delivered, and where


class LiveMirror(RunMirror):
    """Sacred's observer of a run with `mongo` set."""

    def __init__(self, address: str, token: str, folder: RunFolder) -> None:
        store = Store(parse_address(address))
        super().__init__(store, token, Path(folder.basedir))
        self._run_folder = folder
        self._courier = Courier(self.deliver, reason)
        self._complaint: str | None = None
        if complaint := store.unreachable():
            self._complain(complaint)

    def _complain(self, complaint: str) -> None:
        self._complaint = complaint
        get_logger().warning(
            f"Warning: MongoDB at {self.store.address.shown} is not available ({complaint}). "
            "The run goes on with files alone; should the database come, it gets everything, "
            f"and after the run by: {MAIN} sync"
        )

    def take_number(self, wanted: str | int | None) -> int:
        """`wanted`, or a number that neither the results folder nor the database has.

        Both have it from now on.
        """
        if wanted is not None:
            return int(wanted)
        number = self._run_folder.next_number()
        while not self._take(number := self._free_number(number)):
            number += 1
        return number

    def _free_number(self, number: int) -> int:
        """At least `number`. Without a database it is the time: no other machine has that."""
        if not self._complaint:
            try:
                return max(number, self.store.next_number())
            except PyMongoError as error:
                self._complain(reason(error))
        return max(number, time.time_ns() // 1_000_000)

    def _take(self, number: int) -> bool:
        """Whether `number` is ours now; both places are left as they were if not."""
        if not self._run_folder.reserve(number):
            return False
        try:
            if self._complaint or self.store.reserve(number, self._token):
                return True
        except PyMongoError as error:
            self._complain(reason(error))
        self._run_folder.release()
        return False

    def started_event(self, *args: Any, **kwargs: Any) -> int:
        number = super().started_event(*args, **kwargs)
        self._courier.start(self._complaint)
        self._courier.news()
        return number

    def save(self) -> None:
        self._courier.news()

    def artifact_event(self, *args: Any, **kwargs: Any) -> None:
        super().artifact_event(*args, **kwargs)
        self._courier.news()

    def finish(self, patience: float) -> bool:
        """Whether the database has everything, at the latest when `patience` is at its end."""
        complete = self._courier.finish(patience)
        if self._courier.stopped:
            self.store.close()
        return complete

    def join(self) -> None:
        """Sacred's last call: deliver the rest, but do not wait for ever."""
        if self.run_entry is None:
            return  # the run could not even start
        if self.finish(PATIENCE):
            mark(self)
            say_number(self)
        elif self._courier.reached:  # else it was said at the start
            get_logger().warning(
                f"Warning: MongoDB lacks a part of run {self.folder.name}. To send it when the "
                f"database is back: {MAIN} sync {self.folder}"
            )


def say_number(mirror: RunMirror) -> None:
    """Where the number in the database is not that of the folder, people must know."""
    if str(mirror.number) != mirror.folder.name:
        get_logger().info(
            f"Run {mirror.folder.name} is number {mirror.number} in MongoDB, where another run "
            f"has number {mirror.folder.name}."
        )


def mark(mirror: RunMirror) -> None:
    """Write into the run's folder that the database has it as it is now."""
    facts = {**_state(mirror.folder, mirror.store), "number": mirror.number}
    (mirror.folder / MARK).write_text(json.dumps(facts, indent=2))


def is_delivered(folder: Path, store: Store) -> bool:
    """Whether the database of `store` has the run as it is now."""
    marked = read_json(folder / MARK)
    marked.pop("number", None)
    return marked == _state(folder, store)


def _state(folder: Path, store: Store) -> JsonObject:
    return {"database": store.address.shown, **session_facts(read_json(folder / "run.json"))}
