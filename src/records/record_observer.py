"""Sacred's file observer for disks that fill up: what could not be written is tried again, and
a run whose record is not whole at the end has failed."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import ParamSpec

from sacred.observers import FileStorageObserver

from utils.json_values import JsonObject

Given = ParamSpec("Given")


class RecordObserver(FileStorageObserver):
    """Never lets an OSError reach Sacred, which would drop the observer, or print and forget."""

    def __init__(self, basedir: Path) -> None:
        super().__init__(str(basedir))
        self.unwritten: OSError | None = None  # why the last writing of the record has failed
        self._metrics: list[JsonObject] = []  # since that; Sacred hands out each value once

    def require_written(self) -> None:
        """Raise what kept the record from being written, if anything did."""
        if self.unwritten is not None:
            raise self.unwritten

    def log_metrics(self, metrics_by_name: JsonObject, info: JsonObject) -> None:
        self._metrics.append(metrics_by_name)
        self.unwritten = None
        while self._metrics and self.unwritten is None:
            self._attempt(super().log_metrics, self._metrics[0], info)
            if self.unwritten is None:
                self._metrics.pop(0)

    def heartbeat_event(
        self, info: JsonObject, captured_out: str, beat_time: datetime, result: object
    ) -> None:
        self._attempt(super().heartbeat_event, info, captured_out, beat_time, result)

    def completed_event(self, stop_time: datetime, result: object) -> None:
        if self.unwritten is None:
            self._attempt(super().completed_event, stop_time, result)
        if self.unwritten is not None:
            self.failed_event(stop_time, [f"the record could not be written: {self.unwritten}"])

    def interrupted_event(self, interrupt_time: datetime, status: str) -> None:
        self._attempt(super().interrupted_event, interrupt_time, status)

    def failed_event(self, fail_time: datetime, fail_trace: list[str]) -> None:
        if self.run_entry is not None:  # else there never was a record
            self._attempt(super().failed_event, fail_time, fail_trace)

    def save_json(self, obj: object, filename: str) -> None:
        """Leaves no part of a file behind."""
        try:
            super().save_json(obj, filename)
        except OSError:
            with contextlib.suppress(OSError):
                (Path(self.dir) / filename).unlink()
            raise

    def _attempt(
        self, write: Callable[Given, None], *what: Given.args, **named: Given.kwargs
    ) -> None:
        try:
            write(*what, **named)
        except OSError as error:
            self.unwritten = error
