"""Curves as the page draws them: thinned, a run each or the seeds of a group together."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from dashboard.library import ShownRun
from dashboard.newest import Newest
from dashboard.plain import numbers
from dashboard.thinning import kept
from reporting.grouping import Group, groups_of
from reporting.records import Record
from reporting.results import Curve, curve_of

Chart = dict[str, object]

# By runs, metric and axis. It holds no records, whose numbers would stay in memory with them.
_drawn: Newest[Curve | None] = Newest(most=1024)


def charts(
    runs: Sequence[ShownRun], names: Sequence[str], axis: str, together: bool
) -> list[Chart]:
    """One for each metric; what cannot be drawn is told in its notes."""
    return [
        (_of_groups if together else _of_runs)(runs, name, axis) for name in dict.fromkeys(names)
    ]


def _of_runs(runs: Sequence[ShownRun], name: str, axis: str) -> Chart:
    curves: list[dict[str, object]] = []
    notes: list[str] = []
    for run in runs:
        label = _label(run.record)
        series = run.record.metrics.get(name)
        if series is None or not len(series.values):
            notes.append(f"{label} has no {name}.")
            continue
        x = getattr(series, axis).astype(float)
        there = np.isfinite(x)
        if not there.any():
            notes.append(f"{label} has no times, so it can only be drawn over steps.")
            continue
        x, y = x[there], series.values[there]
        chosen = kept(y)
        found = {"label": label, "runs": [run.key], "logged": len(y)}
        curves.append(found | {"x": numbers(x[chosen]), "y": numbers(y[chosen])})
    return {"metric": name, "curves": curves, "notes": notes}


def _of_groups(runs: Sequence[ShownRun], name: str, axis: str) -> Chart:
    curves: list[dict[str, object]] = []
    notes: list[str] = []
    shown = {run.record: run for run in runs}
    for group in groups_of([run.record for run in runs]):
        label = f"{group.label} on {group.task}"
        having = [shown[record] for record in group.runs if name in record.metrics]
        if len(having) < len(group.runs):
            notes.append(f"{label}: {len(group.runs) - len(having)} without {name} left out.")
        curve = _together(having, name, axis) if having else None
        if curve is None:
            notes.append(f"{label}: there is no range of {axis} that all its runs have.")
            continue
        curves.append(
            {
                "label": f"{label} ({len(having)})",
                "runs": [run.key for run in having],
                "x": numbers(curve.x),
                "y": numbers(curve.middle),
                "low": numbers(curve.low),
                "high": numbers(curve.high),
            }
        )
    return {"metric": name, "curves": curves, "notes": notes}


def _together(runs: Sequence[ShownRun], name: str, axis: str) -> Curve | None:
    group = Group("", "", tuple(run.record for run in runs))
    return _drawn.get(
        name=(tuple(run.key for run in runs), name, axis),
        version=tuple(run.version for run in runs),
        make=lambda: curve_of(group, name, axis),
    )


def _label(record: Record) -> str:
    return f"{record.name} on {record.task}, seed {record.seed}, run {record.run_id}"
