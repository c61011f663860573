"""A run on one line: status, progress, last and best result."""

from __future__ import annotations

import numpy as np

from dashboard.library import Shelf, ShownRun
from dashboard.plain import number
from reporting.records import Record
from reporting.results import finite
from reporting.series import Series

RECENT = 20  # logged points that tell the present speed


def summary(run: ShownRun, shelf: Shelf) -> dict[str, object]:
    """What the table says of a run; without numbers while they are not read."""
    record = run.record
    line = {
        "key": run.key,
        "run_id": record.run_id,
        "place": run.place,
        "version": run.version,
        "name": record.name,
        "task": record.task,
        "seed": record.seed,
        "status": record.status,
        "started": None if record.started is None else record.started.isoformat(),
        "heard_of": number(record.age),
        "t_max": _t_max(record),
        "reading": run.key in shelf.unread,
    }
    known = run.key not in shelf.unread | shelf.unreadable
    return line | (_numbers(record) if known else NO_NUMBERS)


NO_NUMBERS = dict.fromkeys(
    ("step", "progress", "seconds", "left", "metric", "last", "best", "best_at")
)


def _numbers(record: Record) -> dict[str, object]:
    step, seconds = record.last_step, _seconds(record)
    progress = _progress(record, step)
    return {
        "step": step,
        "progress": progress,
        "seconds": seconds,
        "left": _left(record, step) if record.status == "RUNNING" else None,
        **_result(record),
    }


def _progress(record: Record, step: int) -> float | None:
    if record.status == "COMPLETED":
        return 1.0  # the last log is a little before the end
    t_max = _t_max(record)
    return min(1.0, step / t_max) if t_max is not None and t_max > 0 else None


def _t_max(record: Record) -> float | None:
    return number(record.config.get("t_max"))


def _seconds(record: Record) -> float | None:
    ends = [s.seconds[-1] for s in record.metrics.values() if len(s.seconds)]
    return number(max((end for end in ends if np.isfinite(end)), default=None))


def _left(record: Record, step: int) -> float | None:
    """Seconds to go at the speed of late."""
    series = max(record.metrics.values(), key=lambda s: len(s.steps), default=None)
    t_max = _t_max(record)
    if series is None or t_max is None:
        return None
    steps, seconds = series.steps[-RECENT:], series.seconds[-RECENT:]
    if len(steps) < 2 or not seconds[-1] > seconds[0] or steps[-1] <= steps[0]:
        return None
    speed = (steps[-1] - steps[0]) / (seconds[-1] - seconds[0])
    return number(max(0.0, (t_max - step) / speed))


def _result(record: Record) -> dict[str, object]:
    """The headline metric; numbers that are none do not count."""
    name = record.headline
    known = finite(record.metrics[name]) if name else NOTHING
    if not len(known.values):
        return {"metric": name, "last": None, "best": None, "best_at": None}
    at = int(np.argmax(known.values))
    return {
        "metric": name,
        "last": float(known.values[-1]),
        "best": float(known.values[at]),
        "best_at": int(known.steps[at]),
    }


NOTHING = Series(np.empty(0, np.int64), np.empty(0), np.empty(0))
