"""Sacred's MongoDB observer, made safe: it only remembers, and a courier brings it to the database.

The documents are those of Sacred's own observer, which the base class makes up. The run's folder is
the queue: should the process end before all is delivered, `python src/main.py sync` reads it.
"""

from __future__ import annotations

import threading
from datetime import datetime
from pathlib import Path
from typing import Any

import bson
from sacred.dependencies import get_digest
from sacred.observers.mongo import MongoObserver
from sacred.serializer import flatten

from mongo.curves import SERIES, Curves, StoredCurves
from mongo.store import Store
from records.tracking import read_json, standing
from utils.json_values import JsonObject


class RunMirror(MongoObserver):
    """One run, as the database should have it."""

    def __init__(self, store: Store, token: str, basedir: Path) -> None:
        self.initialize(None, None, priority=10)  # after the file observer, which saves the sources
        self.store, self._token, self._basedir = store, token, basedir
        self._lock = threading.Lock()  # Sacred's heartbeat and the courier have their own threads
        self._info: JsonObject = {}
        self.curves: Curves = {}
        self._sources: list[tuple[str, Path, str]] = []  # name, where it is, name in the database
        self._artifacts: dict[str, Path] = {}
        self._source_ids: dict[str, bson.ObjectId] = {}
        self._stored: StoredCurves | None = None
        self.number: int | None = None  # of the run in the database, once it is known

    # ------------------------------------------------------------ what Sacred tells

    def started_event(self, *args: Any, **kwargs: Any) -> int:
        number = kwargs["_id"] = int(kwargs["_id"])  # the file observer makes it text
        super().started_event(*args, **kwargs)
        earlier = read_json(self.folder / "run.json").get("earlier_sessions")
        if earlier:
            self.run_entry["earlier_sessions"] = earlier
        return number

    @property
    def folder(self) -> Path:
        """Of the run; the number in the database is another one only if that was taken."""
        return self._basedir / str(self.run_entry["_id"])

    def heartbeat_event(
        self, info: JsonObject, captured_out: str, beat_time: datetime | None, result: object
    ) -> None:
        with self._lock:
            self._info = standing(info)
            self.run_entry.update(captured_out=captured_out, heartbeat=beat_time)
            self.run_entry["result"] = flatten(result)
        self.save()

    def log_metrics(self, metrics_by_name: Curves, info: object) -> None:
        with self._lock:
            for name, points in metrics_by_name.items():
                curve = self.curves.setdefault(name, {key: [] for key in SERIES})
                for key in SERIES:
                    curve[key] += points[key]

    def artifact_event(
        self, name: str, filename: str, metadata: object = None, content_type: str | None = None
    ) -> None:
        with self._lock:
            self._artifacts[name] = Path(filename)

    def resource_event(self, filename: str) -> None:
        with self._lock:
            self.run_entry["resources"].append((filename, get_digest(filename)))

    # ------------------------------------------------------------ what the base class would write

    def save_sources(self, ex_info: JsonObject) -> list[object]:
        """The file observer's copies (name, path below `basedir`); ids come with the delivery."""
        base = ex_info["base_dir"]
        self._sources = [
            (name, self._basedir / copy, f"{base}/{name}") for name, copy in ex_info["sources"]
        ]
        return []

    def insert(self) -> None:
        self.save()

    def save(self) -> None:
        """Nothing yet: the state at hand is all there is to remember."""

    def final_save(self, attempts: int) -> None:
        self.save()

    @property
    def files(self) -> list[Path]:
        """All that the database is to have beside the documents."""
        return [*(path for _, path, _ in self._sources), *self._artifacts.values()]

    # ------------------------------------------------------------ what the courier does

    def deliver(self) -> None:
        """Make the database have everything so far. Raises whatever pymongo raises."""
        with self._lock:
            entry, info = dict(self.run_entry), self._info
            artifacts = dict(self._artifacts)
            curves = {
                name: {key: list(values) for key, values in curve.items()}
                for name, curve in self.curves.items()
            }
        if self._stored is None:
            self.number = self.store.claim(entry["_id"], self._token)
            self.store.put_run(self.number, entry)  # seen at once; the rest may take a while
            self._stored = self.store.curves(self.number)
        assert self.number is not None
        sources = self._source_ids or self.store.put_files(
            {stored: path for _, path, stored in self._sources}
        )
        place = f"artifact://{self.store.address.collection}/{self.number}"
        files = self.store.put_files({f"{place}/{k}": path for k, path in artifacts.items()})
        ids = self._stored.put(curves)
        if curves and entry["status"] != "RUNNING":
            self._stored.drop_others(curves)
        metrics = [{"name": name, "id": str(ids[name])} for name in curves]
        entry["info"] = {**flatten(info), **({"metrics": metrics} if metrics else {})}
        entry["artifacts"] = [{"name": k, "file_id": files[f"{place}/{k}"]} for k in artifacts]
        listed = [[name, sources[stored]] for name, _, stored in self._sources]
        entry["experiment"] = {**entry["experiment"], "sources": listed}
        self.store.put_run(self.number, entry)
        self._source_ids = sources
