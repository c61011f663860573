"""`python src/main.py --list runs [FOLDER...]`: what lies in a results folder."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np

from records.run_files import UnreadableRunError
from reporting.records import Record, find_records
from reporting.results import finite
from reporting.tables import Table
from utils.console import duration, human, short_name
from utils.places import results_folder

HEAD = ("run", "algorithm", "task", "seed", "status", "steps", "metric", "last", "best", "heard of")


def main(argv: list[str]) -> int:
    places = [Path(word) for word in argv] or [results_folder()]
    records, problems = find_records(places)
    rows, notices = [], []
    for record in records:
        try:
            rows.append(_row(record))
            notices += record.notices
        except UnreadableRunError as error:
            problems.append(str(error))
    where = ", ".join(str(place) for place in places)
    if rows:
        sys.stdout.write(Table(f"{len(rows)} runs in {where}", HEAD, tuple(rows)).text())
    else:
        sys.stdout.write(f"No runs in {where}.\n")
    for problem in problems:
        sys.stdout.write(f"left out: {problem}\n")
    for notice in notices:
        sys.stdout.write(f"note: {notice}\n")
    return 0


def _row(record: Record) -> tuple[str, ...]:
    age = "?" if record.age is None else f"{duration(record.age)} ago"
    steps = f"{human(record.last_step)}/{_aim(record)}"
    first = (record.run_id, record.name, record.task, str(record.seed), record.status, steps)
    return (*first, *_results(record), age)


def _aim(record: Record) -> str:
    t_max = record.config.get("t_max")
    return human(t_max) if isinstance(t_max, int | float) else "?"


def _results(record: Record) -> tuple[str, str, str]:
    """The headline metric, its last and its best value."""
    if record.headline is None:
        return "", "", ""
    values = finite(record.metrics[record.headline]).values
    last, best = (f"{values[-1]:.2f}", f"{np.max(values):.2f}") if len(values) else ("nan", "nan")
    return short_name(record.headline), last, best
