"""From groups of runs to what is compared: curves on common points, and final scores."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from reporting.grouping import Group
from reporting.records import Record
from reporting.series import Array, Series
from reporting.statistics import curve_iqm, pointwise
from utils.console import human
from utils.errors import UserError, did_you_mean
from utils.headlines import headline, is_rate

POINTS = 201  # of a drawn curve
LAST_PART = 0.1  # of the steps, whose evaluations make the final score
EARLY = 0.95  # runs that end before this share of their group's longest are named


@dataclass(frozen=True)
class Curve:
    """Interquartile mean over runs, and its interval (NaN for a single run)."""

    x: Array  # (POINTS,)
    middle: Array
    low: Array
    high: Array


@dataclass(frozen=True)
class Result:
    """What the runs of a group reached in one metric."""

    group: Group
    end: int  # the step that all of them reached
    final: Array  # (runs,) mean over the last part of the steps
    best: Array  # (runs,) highest single evaluation up to `end`
    auc: Array  # (runs,) mean height of the curve up to `end`
    last: float = LAST_PART  # share of the steps whose evaluations make `final`


def common_metric(records: Sequence[Record], wanted: str | None) -> str:
    """`wanted`, or the first headline that every run has."""
    if not records:
        raise UserError("There is no run to report on. Name a folder with runs, such as results.")
    everywhere = set.intersection(*(set(record.metrics) for record in records))
    anywhere = {name for record in records for name in record.metrics}
    if wanted is not None:
        if wanted in everywhere:
            return wanted
        lacking = [record.run_id for record in records if wanted not in record.metrics]
        if wanted in anywhere:
            raise UserError(
                f"Runs {', '.join(lacking)} have no {wanted}. Leave them out "
                f"(--where run_id!={lacking[0]}), or "
                f"type one that all have: {', '.join(sorted(everywhere))}."
            )
        raise UserError(f"No run has a metric '{wanted}'.{did_you_mean(wanted, anywhere)}")
    if (name := headline(everywhere)) is not None:
        return name
    raise UserError(
        "The runs have no test result in common, so say which metric to report: --metric NAME. "
        f"All have: {', '.join(sorted(everywhere)) or 'nothing'}."
    )


def finite(series: Series) -> Series:
    kept = np.isfinite(series.values)
    return Series(series.steps[kept], series.values[kept], series.seconds[kept])


def result_of(group: Group, metric: str, last: float = LAST_PART) -> Result:
    every = [finite(run.metrics[metric]) for run in group.runs]
    for run, series in zip(group.runs, every, strict=True):
        if not len(series.steps):
            raise UserError(f"{run.folder}: {metric} is never a number. {_without(run)}")
    end = min(int(series.steps[-1]) for series in every)
    for run, series in zip(group.runs, every, strict=True):
        another = f"another run of {group.label} on {group.task}"
        require_begun(run, metric, int(series.steps[0]), another, end)
    within = [series.values[series.steps <= end] for series in every]
    return Result(
        group=group,
        end=end,
        final=np.array([final_of(series, end, last) for series in every]),
        best=np.array([values.max() for values in within]),
        auc=np.array([auc_of(series, end) for series in every]),
        last=last,
    )


def require_begun(run: Record, metric: str, first: int, another: str, end: int) -> None:
    """Refuse a run that has nothing to compare up to the step at which another one ended."""
    if first > end:
        raise UserError(
            f"{run.folder}: its first {metric} is at step {first}, when {another} had ended "
            f"({end}). {_without(run)}"
        )


def _without(run: Record) -> str:
    return f"Leave it out: --where run_id!={run.run_id}"


def final_of(series: Series, end: int, last: float) -> float:
    """Mean of the evaluations in the last part before `end`; at least of the last one."""
    chosen = (series.steps <= end) & (series.steps > end * (1 - last))
    if not chosen.any():
        chosen = series.steps == series.steps[series.steps <= end].max()
    return float(series.values[chosen].mean())


def auc_of(series: Series, end: int) -> float:
    """Area under the curve from its first evaluation to `end`, over that length.

    Between two evaluations the curve is a straight line.
    """
    inside = series.steps < end
    steps = np.append(series.steps[inside], end).astype(float)
    values = np.append(series.values[inside], np.interp(end, series.steps, series.values))
    if len(steps) == 1:
        return float(values[0])
    area = float((np.diff(steps) * (values[1:] + values[:-1]) / 2).sum())
    return area / float(steps[-1] - steps[0])


def curve_of(group: Group, metric: str, axis: str = "steps") -> Curve | None:
    """Over "steps" or "seconds", where all runs have something to say; None if nowhere.

    Between two evaluations of a run its curve is a straight line.
    """
    lines = _lines(group, metric, axis)
    if not lines:
        return None
    first, last = max(x[0] for x, _ in lines), min(x[-1] for x, _ in lines)
    if last < first:
        return None
    x = np.linspace(first, last, POINTS)
    values = np.stack([np.interp(x, at, what) for at, what in lines])  # (runs, POINTS)
    return Curve(x, *pointwise(values, curve_iqm))


def _lines(group: Group, metric: str, axis: str) -> list[tuple[Array, Array]]:
    """Points and values of every run; nothing if one has none."""
    every = [finite(run.metrics[metric]) for run in group.runs if metric in run.metrics]
    lines = [(getattr(series, axis).astype(float), series.values) for series in every]
    lines = [(x, y) for x, y in lines if len(x) and np.isfinite(x).all()]
    return lines if len(lines) == len(group.runs) else []


def notices(results: Sequence[Result], metric: str) -> list[str]:
    """What a reader must know before comparing."""
    said = []
    for result in results:
        name = f"{result.group.label} on {result.group.task}"
        ends = {run: _reached(run, metric) for run in result.group.runs}
        longest = max(ends.values())
        early = [run for run, end in ends.items() if end < EARLY * longest]
        if early:
            listed = ", ".join(f"{r.run_id} ({r.status}, {human(ends[r])})" for r in early)
            torn = all(run.status != "COMPLETED" for run in early)
            said.append(
                f"{name}: runs {listed} end before the others' {human(longest)} steps, "
                "and curve and final score with them."
                + (" --where status=COMPLETED leaves them out." if torn else "")
            )
        if odd := [f"{run.run_id} ({n})" for run in result.group.runs if (n := _odd(run, metric))]:
            said.append(f"{name}: values of runs {', '.join(odd)} are NaN or infinite: left out.")
        if len(ends) == 1:
            said.append(f"{name}: one seed, so there is no interval.")
        if _lines(result.group, metric, "seconds") and not curve_of(
            result.group, metric, "seconds"
        ):
            said.append(
                f"{name}: no curve over time, because one run had ended before another was first "
                "evaluated."
            )
        said += _twins(result.group, name)
    return said + _unequal_ends(results, metric)


def _reached(run: Record, metric: str) -> int:
    """Its last evaluation, but no more than `t_max`: the last round may go beyond that."""
    step = int(finite(run.metrics[metric]).steps[-1])
    return min(step, run.config.get("t_max") or step)


def _odd(run: Record, metric: str) -> int:
    return int((~np.isfinite(run.metrics[metric].values)).sum())


def _twins(group: Group, name: str) -> list[str]:
    seeds = [str(run.seed) for run in group.runs]
    twice = sorted({seed for seed in seeds if seeds.count(seed) > 1 and seed != "None"})
    return [f"{name}: seed {', '.join(twice)} counts more than once."] if twice else []


def _unequal_ends(results: Sequence[Result], metric: str) -> list[str]:
    said = []
    for task in sorted({result.group.task for result in results}):
        groups = [result.group for result in results if result.group.task == task]
        ends = {g.label: min(_reached(run, metric) for run in g.runs) for g in groups}
        if min(ends.values()) < EARLY * max(ends.values()):
            listed = ", ".join(f"{label} {human(end)}" for label, end in ends.items())
            said.append(f"{task}: compared at different steps: {listed}.")
    return said


def normalised(results: Sequence[Result], metric: str) -> list[Result]:
    """Final scores that tasks share: rates as they are; else 0 and 1 are a task's extremes.

    None at all where the runs of some task are all equal, and so have no scale.
    """
    if is_rate(metric):
        return list(results)
    scaled = []
    for result in results:
        peers = np.concatenate([r.final for r in results if r.group.task == result.group.task])
        low, span = peers.min(), peers.max() - peers.min()
        if span == 0:
            return []
        final, best = (result.final - low) / span, (result.best - low) / span
        scaled.append(replace(result, final=final, best=best))
    return scaled


def by_label(results: Sequence[Result]) -> dict[str, list[Result]]:
    """Of the algorithms that were run on every task; tasks in the same order for all."""
    tasks = sorted({result.group.task for result in results})
    found: dict[str, list[Result]] = {}
    for label in sorted({result.group.label for result in results}):
        own = {r.group.task: r for r in results if r.group.label == label}
        if all(task in own for task in tasks):
            found[label] = [own[task] for task in tasks]
    return found
