"""The numbers of a run, from the first of its files that has them undamaged."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from typing import Any, NamedTuple

import numpy as np

from records.run_files import RunFiles, UnreadableRunError
from reporting.following import Table
from reporting.series import Series, series
from utils.json_values import Json, JsonObject


class Numbers(NamedTuple):
    """By metric, and sentences about files that could not be used."""

    metrics: Mapping[str, Series]
    notices: list[str]


class Source(NamedTuple):
    """One file that holds the numbers."""

    name: str
    read: Callable[[], Mapping[str, Series]]


def read_numbers(table: Callable[[], Table | None], others: list[Source]) -> Numbers:
    """Those of metrics.csv; of another file where that has none, or is damaged and has fewer."""
    complaints: list[str] = []
    found: Mapping[str, Series] = {}
    try:
        known = table()
    except UnreadableRunError as error:
        known = Table({}, str(error))
    if known is not None:
        if known.flaw is None:
            return Numbers(known.series, [])
        complaints.append(known.flaw)
        found = known.series
    for source in others:
        try:
            metrics = source.read()
        except UnreadableRunError as error:
            complaints.append(str(error))
            continue
        if metrics and _points(metrics) >= _points(found):
            return Numbers(metrics, [_taken(complaint, source.name) for complaint in complaints])
    if complaints and not found:
        raise UnreadableRunError(" ".join(complaints))
    return Numbers(found, [f"{complaint} The others were taken." for complaint in complaints])


def _points(metrics: Mapping[str, Series]) -> int:
    return sum(len(each.steps) for each in metrics.values())


def _taken(complaint: str, name: str) -> str:
    return f"{complaint} The numbers were taken from {name}."


def sources(
    files: RunFiles, info: Callable[[], JsonObject], started: datetime | None
) -> list[Source]:
    """Sacred's own files: EPyMARL's and Omniboard's form, then PyMARL's."""

    def metrics() -> dict[str, Series]:
        return from_sacred(files.object("metrics.json"), str(files.folder), started)

    def lists() -> dict[str, Series]:
        return from_info(info(), str(files.folder))

    return [Source("metrics.json", metrics), Source("info.json", lists)]


def from_sacred(content: JsonObject, where: str, start: datetime | None) -> dict[str, Series]:
    """EPyMARL's and Omniboard's: name -> steps, values, timestamps."""
    found = {}
    for name, entry in content.items():
        try:
            times = [_since(start, then) for then in entry["timestamps"]]
            found[name] = series(entry["steps"], entry["values"], times)
        except (KeyError, TypeError, ValueError, OverflowError) as error:
            raise UnreadableRunError(f"{where}: metrics.json, {name}: {error!r}") from error
    return found


def _since(start: datetime | None, text: object) -> float:
    then = moment(text)
    return np.nan if start is None or then is None else (then - start).total_seconds()


def moment(text: object) -> datetime | None:
    """Sacred writes UTC without saying so."""
    try:
        return datetime.fromisoformat(str(text)).replace(tzinfo=UTC)
    except ValueError:
        return None


def from_info(info: JsonObject, where: str) -> dict[str, Series]:
    """PyMARL's: lists `name` and `name_T`, of values and of environment steps.

    Sacred writes them while the run appends, so that one may be an entry longer.
    """
    found = {}
    for name, steps, numbers in _lists(info):
        try:
            at = steps[: len(numbers)]
            found[name] = series(at, numbers, [np.nan] * len(at))
        except (TypeError, ValueError, OverflowError) as error:
            raise UnreadableRunError(f"{where}: info.json, {name}: {error}") from error
    return found


def _lists(info: JsonObject) -> Iterator[tuple[str, list[Any], list[float]]]:
    """(name, steps, values) of what has plain numbers; tensors were pickled by Sacred."""
    for name, values in info.items():
        steps = info.get(f"{name}_T")
        if not isinstance(values, list) or not isinstance(steps, list):
            continue
        numbers = [_number(value) for value, _ in zip(values, steps, strict=False)]
        if any(number is not None for number in numbers):
            yield name, steps, [np.nan if number is None else number for number in numbers]


def _number(value: Json) -> float | None:
    """Sacred stores numpy's numbers as objects: {"py/object": ..., "value": 0.5}.

    None for what holds no number in plain sight; an array keeps it as NaN.
    """
    plain = value.get("value") if isinstance(value, dict) else value
    return float(plain) if isinstance(plain, int | float) else None
