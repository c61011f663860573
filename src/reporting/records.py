"""Runs as they lie in results folders: ours, PyMARL's and EPyMARL's, all read as `Record`s.

A record reads its numbers when it is first asked for them, so that hundreds can be listed at once.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path

from records.run_files import RunFiles, UnreadableRunError
from reporting.following import CsvFollower, Table
from reporting.numbers import Numbers, moment, read_numbers, sources
from reporting.series import Series
from utils.console import task_name
from utils.errors import UserError
from utils.files import reason
from utils.headlines import headline
from utils.json_values import Json, JsonObject
from utils.places import is_number
from utils.settings import Settings

HEARTBEAT_LIMIT = 120.0  # seconds; Sacred's is due every 10
NOT_RUNS = {"_sources", "models", "tb_logs", "replays", "node_modules"}


@dataclass(frozen=True, eq=False)  # a run is equal to itself alone
class Record:
    """One run. `folder` is where its config.json is."""

    folder: Path
    config: Settings
    run: JsonObject
    told: tuple[str, ...] = ()  # what had to be done without to read these

    @property
    def run_id(self) -> str:
        return self.folder.name

    @property
    def name(self) -> str:
        return str(self.config.get("name", "unnamed"))

    @property
    def task(self) -> str:
        return task_name({"env": "?", "env_args": {}, **self.config})

    @property
    def seed(self) -> Json:
        own = self.config.get("seed")
        return self.config.get("env_args", {}).get("seed") if own is None else own

    @property
    def status(self) -> str:
        """Sacred's word, but LOST for a run that says RUNNING and has not been heard of lately."""
        word = str(self.run.get("status", "?"))
        age = self.age
        return "LOST" if word == "RUNNING" and (age is None or age > HEARTBEAT_LIMIT) else word

    @property
    def started(self) -> datetime | None:
        return moment(self.run.get("start_time"))

    @property
    def ended(self) -> datetime | None:
        return moment(self.run.get("stop_time"))

    @property
    def age(self) -> float | None:
        """Seconds since the run was last heard of."""
        last = moment(self.run.get("heartbeat")) or self.started
        return None if last is None else (datetime.now(UTC) - last).total_seconds()

    @cached_property
    def environment(self) -> JsonObject:
        """What the tasks were played on: engine, game build, package versions; empty if untold."""
        known = self._told.get("environment")
        return known if isinstance(known, dict) else {}

    @cached_property
    def earlier_environments(self) -> list[JsonObject]:
        """What it was before a resume that found it changed."""
        known = self._told.get("earlier_environments")
        return known if isinstance(known, list) else []

    @property
    def metrics(self) -> Mapping[str, Series]:
        """All numbers; UnreadableRunError if no file has them."""
        return self._numbers.metrics

    @property
    def notices(self) -> list[str]:
        """Sentences about files that are damaged and were done without."""
        unverifiable = self.files.unverifiable()
        return [*self.told, *([unverifiable] if unverifiable else []), *self._numbers.notices]

    @property
    def files(self) -> RunFiles:
        return RunFiles(self.folder)

    @cached_property
    def _numbers(self) -> Numbers:
        again = "earlier_sessions" in self.run  # its times are of when it was written once more
        others = sources(self.files, lambda: self._info, None if again else self.started)
        return read_numbers(self._table, others)

    def _table(self) -> Table | None:
        return read_table(CsvFollower(self.files))

    @cached_property
    def headline(self) -> str | None:
        """The metric that says most about a run of this kind."""
        return headline(self.metrics, self.config.get("best_metric"))

    @property
    def last_step(self) -> int:
        return max((int(s.steps[-1]) for s in self.metrics.values() if len(s.steps)), default=0)

    @cached_property
    def _info(self) -> JsonObject:
        return self.files.object("info.json")

    @property
    def _told(self) -> JsonObject:
        """A run that has just been resumed keeps its last info.json beside until the next one."""
        return self._info or self.files.object("info.before_resume.json")


def find_records(places: Iterable[Path]) -> tuple[list[Record], list[str]]:
    """All runs below `places`, oldest first; and a sentence for each that cannot be read."""
    records, problems = [], []
    for folder in sorted(set(run_folders(places)), key=natural_order):
        try:
            records.append(read_record(folder))
        except UnreadableRunError as error:
            problems.append(str(error))
    return records, problems


def read_record(folder: Path, root: Path | None = None) -> Record:
    """The run in `folder`; its numbers stay unread. Links that lead out of `root` are refused."""
    files = RunFiles(folder, root)
    config, told = files.settings()
    if not isinstance(config.get("env_args", {}), dict) or not isinstance(config.get("env"), str):
        raise UnreadableRunError(f"{folder}: config.json names no environment, so this is no run.")
    try:
        run = files.object("run.json")
    except UnreadableRunError as error:
        run, told = {}, [*told, f"{error} So the status of the run is not known."]
    return Record(folder, config, run, tuple(told))


def read_table(follower: CsvFollower) -> Table | None:
    """What metrics.csv holds; None if there is none and never was."""
    try:
        return follower.read()
    except FileNotFoundError:
        return Table({}, f"{follower.path} is missing.") if follower.promised else None
    except (OSError, OverflowError) as error:
        raise UnreadableRunError(f"{follower.path} cannot be read ({reason(error)}).") from error


def run_folders(places: Iterable[Path]) -> Iterator[Path]:
    """Every folder with a run in it, in no certain order."""
    for place in places:
        if not place.is_dir():
            raise UserError(f"{place} is no folder. Name one with runs in it, such as results.")
        for folder, below, files in os.walk(place):
            below[:] = [name for name in below if name not in NOT_RUNS]
            if "config.json" in files or "run.json" in files:
                below.clear()
                yield Path(folder).resolve()


def natural_order(folder: Path) -> tuple[str, int, str]:
    name = folder.name
    return str(folder.parent), int(name) if is_number(name) else -1, name
