"""A metrics.csv that a resumed run cannot go on with, made again from Sacred's metrics.json."""

from __future__ import annotations

import math
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

from records.run_checksums import NUMBERS
from records.run_files import RunFiles, UnreadableRunError
from utils.files import read_bytes, reason
from utils.json_values import JsonObject
from utils.metrics_csv import Lines, Row, write_rows

UNKNOWN = math.nan  # Sacred's times are those of the last session


def mend_numbers(folder: Path, rows: int) -> str | None:
    """Give the run in `folder` its first `rows` rows back; a sentence if any was damaged or lost.

    What lay in their place is kept beside.
    """
    path = folder / NUMBERS
    kept, flaw = _sound_rows(path, rows)
    if flaw is None:
        return None
    recorded = rows_of_sacred(folder)[:rows]
    source = "its sound lines" if len(kept) > len(recorded) else "metrics.json"
    best = max(recorded, kept, key=len)
    aside = _put_aside(path)
    write_rows(path, best)
    lost = f"; {rows - len(best)} are lost" if len(best) < rows else ""
    return (
        f"{path} {flaw}. {len(best)} of the {rows} values that the checkpoint knows were taken "
        f"from {source}{lost}.{aside}"
    )


def _sound_rows(path: Path, rows: int) -> tuple[list[Row], str | None]:
    """What is there of the first `rows` rows, and what is wrong with them."""
    lines = Lines()
    try:
        kept = list(islice(lines.rows(read_bytes(path)), rows))
    except OSError as error:
        return [], f"cannot be read ({reason(error)})"
    if lines.damaged or not lines.has_head:
        return kept[: max(0, rows - lines.damaged)], f"has damaged lines: {max(1, lines.damaged)}"
    return kept, f"has {len(kept)} rows" if len(kept) < rows else None


def rows_of_sacred(folder: Path) -> list[Row]:
    """All values in metrics.json, in the order in which they were logged."""
    files = RunFiles(folder)
    for name in ("metrics.json", "metrics.before_resume.json"):
        try:
            found = [
                (time, Row(metric, step, float(value), UNKNOWN))
                for metric, entry in files.object(name).items()
                for step, value, time in _points(entry)
            ]
        except (UnreadableRunError, KeyError, TypeError, ValueError):
            continue
        if found:
            return [row for _, row in sorted(found, key=lambda each: each[0])]
    return []


def _points(entry: JsonObject) -> Iterator[tuple[int, float, str]]:
    return zip(entry["steps"], entry["values"], entry["timestamps"], strict=True)


def _put_aside(path: Path) -> str:
    if not path.exists():
        return ""
    aside = path.with_name(f"{path.name}.damaged")
    number = 1
    while aside.exists():
        number += 1
        aside = path.with_name(f"{path.name}.damaged{number}")
    path.rename(aside)
    return f" What was there is now {aside.name}."
