"""What each address under /api/ answers: plain objects, made from the runs as they are now."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

from dashboard.curves import charts
from dashboard.differences import differences
from dashboard.library import Library, Shelf, ShownRun
from dashboard.plain import flat, plain
from dashboard.summary import summary
from utils.headlines import headline

MOST_OUTPUT = 60_000  # bytes of a run's console that are shown

Query = dict[str, list[str]]
Answer = dict[str, object]  # as the page reads it


class BadRequestError(Exception):
    """A question that has no answer; `status` as HTTP counts."""

    def __init__(self, message: str, status: int = 400) -> None:
        super().__init__(message)
        self.status = status


def runs(library: Library, query: Query) -> Answer:
    """One line for each run, and what could not be read."""
    with library.shelf() as shelf:
        return {
            "now": datetime.now(UTC).isoformat(),
            "places": [source.name for source in library.sources],
            "problems": shelf.problems,
            "runs": [plain(summary(run, shelf)) for run in shelf.runs.values()],
        }


def metrics(library: Library, query: Query) -> Answer:
    """Names that the chosen runs have logged, and how many of them each."""
    with library.shelf(patience=0) as shelf:
        chosen = library.with_numbers(wanted(shelf, query))
        every = [name for run in chosen for name in run.record.metrics]
    counts = {name: every.count(name) for name in sorted(set(every))}
    return {
        "metrics": [{"name": name, "runs": count} for name, count in counts.items()],
        "headline": headline(counts),
    }


def curves(library: Library, query: Query) -> Answer:
    """A chart for each metric: a curve for each run, or for each group of seeds."""
    axis = one_of(query, "axis", ("steps", "seconds"))
    together = one_of(query, "together", ("0", "1")) == "1"
    names = query.get("metric", [])
    if not names:
        raise BadRequestError("Which metric? Add metric=NAME.")
    with library.shelf(patience=0) as shelf:
        chosen = library.with_numbers(wanted(shelf, query))
    return {"axis": axis, "charts": charts(chosen, names, axis, together)}  # while others ask


def run(library: Library, query: Query) -> Answer:
    """All that a run's record says, but for its numbers."""
    with library.shelf(patience=0) as shelf:
        (chosen,) = wanted(shelf, query, most=1)
        record, entry = chosen.record, chosen.record.run
        trace, earlier = entry.get("fail_trace"), entry.get("earlier_sessions")
        environment = chosen.environment
        return {
            "summary": plain(summary(chosen, shelf)),
            "folder": str(record.folder),
            "fail_trace": "".join(map(str, trace)) if isinstance(trace, list) else plain(trace),
            "ended": None if record.ended is None else record.ended.isoformat(),
            "host": plain(entry.get("host")),
            "sessions": (len(earlier) if isinstance(earlier, list) else 0) + 1,
            "environment": None if environment is None else dict(flat(environment)),
            "config": dict(flat(record.config)),
        }


def console(library: Library, query: Query) -> Answer:
    """The end of what a run has printed."""
    with library.shelf(patience=0) as shelf:
        (chosen,) = wanted(shelf, query, most=1)
    text, cut = chosen.output(MOST_OUTPUT)
    return {"text": text, "cut": cut}


def compare(library: Library, query: Query) -> Answer:
    """Settings and environment versions that are not the same in all chosen runs."""
    with library.shelf(patience=0) as shelf:
        chosen = wanted(shelf, query)
        unknown = [run.key for run in chosen if run.environment is None]
        return {"rows": differences(chosen), "unknown_environment": unknown}


ANSWERS: dict[str, Callable[[Library, Query], Answer]] = {
    "/api/runs": runs,
    "/api/metrics": metrics,
    "/api/curves": curves,
    "/api/run": run,
    "/api/console": console,
    "/api/differences": compare,
}


def wanted(shelf: Shelf, query: Query, most: int | None = None) -> list[ShownRun]:
    """The runs that `run=KEY` names, each once."""
    keys = list(dict.fromkeys(query.get("run", [])))
    if not keys or (most and len(keys) > most):
        raise BadRequestError("Which run? Add run=KEY, a key of /api/runs.")
    unknown = [key for key in keys if key not in shelf.runs]
    if unknown:
        raise BadRequestError(f"There is no run {', '.join(unknown)} (any more).", 404)
    return [shelf.runs[key] for key in keys]


def one_of(query: Query, name: str, allowed: tuple[str, ...]) -> str:
    """The value of `name`; the first allowed one where it is not given."""
    value = query.get(name, [allowed[0]])[-1]
    if value not in allowed:
        raise BadRequestError(f"{name}={value} cannot be. Allowed: {', '.join(allowed)}.")
    return value
