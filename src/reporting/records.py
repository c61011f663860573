"""Runs as they lie in results folders: ours, PyMARL's and EPyMARL's, all read as `Record`s.

A record reads its numbers when it is first asked for them, so that hundreds can be listed at once.
"""

from __future__ import annotations

import csv
import json
import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from utils.console import task_name
from utils.errors import UserError
from utils.headlines import headline

Array = np.ndarray[Any, Any]

RESULTS = Path(__file__).resolve().parents[2] / "results"  # where runs go by default
HEARTBEAT_LIMIT = 120.0  # seconds; Sacred's is due every 10
NOT_RUNS = {"_sources", "models", "tb_logs", "replays", "node_modules"}


class UnreadableRunError(UserError):
    """A run whose files are torn or not of any known form."""


class Series(NamedTuple):
    """One metric of one run, in the order of its steps."""

    steps: Array  # (n,) environment steps
    values: Array  # (n,)
    seconds: Array  # (n,) since the run began; NaN where nobody wrote it down


@dataclass(frozen=True, eq=False)  # a run is equal to itself alone
class Record:
    """One run. `folder` is where its config.json is."""

    folder: Path
    config: dict[str, Any]
    run: dict[str, Any]

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
    def seed(self) -> Any:
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
        return _moment(self.run.get("start_time"))

    @property
    def ended(self) -> datetime | None:
        return _moment(self.run.get("stop_time"))

    @property
    def age(self) -> float | None:
        """Seconds since the run was last heard of."""
        last = _moment(self.run.get("heartbeat")) or self.started
        return None if last is None else (datetime.now(UTC) - last).total_seconds()

    @cached_property
    def environment(self) -> dict[str, Any]:
        """What the tasks were played on: engine, game build, package versions; empty if untold."""
        known = self._told.get("environment")
        return known if isinstance(known, dict) else {}

    @cached_property
    def earlier_environments(self) -> list[dict[str, Any]]:
        """What it was before a resume that found it changed."""
        known = self._told.get("earlier_environments")
        return known if isinstance(known, list) else []

    @cached_property
    def metrics(self) -> Mapping[str, Series]:
        """All numbers; from the file that has the most to say."""
        if (self.folder / "metrics.csv").exists():
            return _from_csv(self.folder / "metrics.csv")
        metrics = _read_object(self.folder / "metrics.json")
        if metrics:
            return from_sacred(metrics, self.folder, self.started)
        return from_info(self._info, self.folder)

    @cached_property
    def headline(self) -> str | None:
        """The metric that says most about a run of this kind."""
        return headline(self.metrics, self.config.get("best_metric"))

    @property
    def last_step(self) -> int:
        return max((int(s.steps[-1]) for s in self.metrics.values() if len(s.steps)), default=0)

    @cached_property
    def _info(self) -> dict[str, Any]:
        return _read_object(self.folder / "info.json")

    @property
    def _told(self) -> dict[str, Any]:
        """A run that has just been resumed keeps its last info.json beside until the next one."""
        return self._info or _read_object(self.folder / "info.before_resume.json")


def find_records(places: Iterable[Path]) -> tuple[list[Record], list[str]]:
    """All runs below `places`, oldest first; and a sentence for each that cannot be read."""
    records, problems = [], []
    for folder in sorted(set(run_folders(places)), key=natural_order):
        try:
            records.append(read_record(folder))
        except UnreadableRunError as error:
            problems.append(str(error))
    return records, problems


def read_record(folder: Path) -> Record:
    """The run in `folder`; its numbers stay unread."""
    config = _read_object(folder / "config.json")
    if not isinstance(config.get("env_args", {}), dict) or not isinstance(config.get("env"), str):
        raise UnreadableRunError(f"{folder}: config.json names no environment, so this is no run.")
    return Record(folder, config, _read_object(folder / "run.json"))


def run_folders(places: Iterable[Path]) -> Iterator[Path]:
    """Every folder with a run in it, in no certain order."""
    for place in places:
        if not place.is_dir():
            raise UserError(f"{place} is no folder. Name one with runs in it, such as results.")
        for folder, below, files in os.walk(place):
            below[:] = [name for name in below if name not in NOT_RUNS]
            if "config.json" in files:
                below.clear()
                yield Path(folder).resolve()


def natural_order(folder: Path) -> tuple[str, int, str]:
    name = folder.name
    return str(folder.parent), int(name) if name.isdecimal() else -1, name


def _moment(text: Any) -> datetime | None:
    """Sacred writes UTC without saying so."""
    try:
        return datetime.fromisoformat(str(text)).replace(tzinfo=UTC)
    except ValueError:
        return None


def _read_object(path: Path) -> dict[str, Any]:
    """The object in a file, {} if there is no file."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, RecursionError) as error:
        raise UnreadableRunError(f"{path} cannot be read ({error}).") from error
    if not isinstance(content, dict):
        raise UnreadableRunError(f"{path} holds a {type(content).__name__}, not an object.")
    return content


def _from_csv(path: Path) -> dict[str, Series]:
    """Ours: t_env, name, value, seconds. Lines torn by a crash are left out."""
    rows: dict[str, list[tuple[int, float, float]]] = {}
    try:
        with path.open(newline="", encoding="utf-8", errors="replace") as file:
            for name, step, value, seconds in csv_entries(file):
                rows.setdefault(name, []).append((step, value, seconds))
        return {name: series(*zip(*entries, strict=True)) for name, entries in rows.items()}
    except (OSError, csv.Error, OverflowError) as error:
        raise UnreadableRunError(f"{path} cannot be read ({error}).") from error


def csv_entries(lines: Iterable[str]) -> Iterator[tuple[str, int, float, float]]:
    """(name, step, value, seconds) of every whole line."""
    for row in csv.reader(lines):
        try:
            yield row[1], int(row[0]), float(row[2]), float(row[3])
        except (ValueError, IndexError):
            continue  # the head, or half a line


def from_sacred(content: dict[str, Any], folder: Path, start: datetime | None) -> dict[str, Series]:
    """EPyMARL's and Omniboard's: name -> steps, values, timestamps."""
    found = {}
    for name, entry in content.items():
        try:
            times = [_since(start, moment) for moment in entry["timestamps"]]
            found[name] = series(entry["steps"], entry["values"], times)
        except (KeyError, TypeError, ValueError, OverflowError) as error:
            raise UnreadableRunError(f"{folder}: metrics.json, {name}: {error!r}") from error
    return found


def _since(start: datetime | None, moment: Any) -> float:
    then = _moment(moment)
    return np.nan if start is None or then is None else (then - start).total_seconds()


def from_info(info: dict[str, Any], folder: Path) -> dict[str, Series]:
    """PyMARL's: lists `name` and `name_T`, of values and of environment steps.

    Sacred writes them while the run appends, so that one may be an entry longer.
    """
    found = {}
    for name, values in info.items():
        steps = info.get(f"{name}_T")
        if not isinstance(values, list) or not isinstance(steps, list):
            continue
        numbers = [_number(value) for value, _ in zip(values, steps, strict=False)]
        if not numbers or all(number is None for number in numbers):
            continue  # torch tensors, which Sacred has pickled
        try:
            at = [step for step, _ in zip(steps, numbers, strict=False)]
            found[name] = series(at, numbers, [np.nan] * len(at))
        except (TypeError, ValueError, OverflowError) as error:
            raise UnreadableRunError(f"{folder}: info.json, {name}: {error}") from error
    return found


def _number(value: Any) -> float | None:
    """Sacred stores numpy's numbers as objects: {"py/object": ..., "value": 0.5}.

    None for what holds no number in plain sight; an array keeps it as NaN.
    """
    plain = value.get("value") if isinstance(value, dict) else value
    return float(plain) if isinstance(plain, int | float) else None


def series(steps: Any, values: Any, seconds: Any) -> Series:
    """In the order of the steps, whatever order they came in."""
    at, what = np.asarray(steps, np.int64), np.asarray(values, np.float64)
    when = np.asarray(seconds, np.float64)
    if not at.shape == what.shape == when.shape == (len(at),):
        raise ValueError(f"{len(at)} steps, {len(what)} values, {len(when)} times")
    order = np.argsort(at, kind="stable")
    return Series(at[order], what[order], when[order])
