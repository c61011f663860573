"""Runs of the same seed against each other: paired differences, with a key chosen fairly.

A run's score is the area under its curve (its mean height) or its end, up to the step that all
runs of its task reached. Differences are taken seed by seed, so that what a seed makes easy or hard
for everybody cancels; their interval and p are Student's.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from reporting.grouping import Group, value_of
from reporting.records import Record
from reporting.results import LAST_PART, auc_of, final_of, finite, require_begun
from reporting.series import Series
from reporting.statistics import LEVEL
from reporting.student import quantile, two_sided_p
from utils.errors import UserError, did_you_mean
from utils.json_values import Json

Scores = Mapping[Json, float]  # by seed
Measure = Callable[[Series, int], float]  # of a curve up to a step
MEASURES = ("AUC", "final")


@dataclass(frozen=True)
class Difference:
    """What an algorithm's runs have over those of another one with the same seeds."""

    task: str
    label: str
    measure: str
    n: int  # seeds that both have
    mean: float
    low: float  # of the 95 % interval
    high: float
    p: float
    holm: float = math.nan  # p, corrected for all differences of that measure


@dataclass(frozen=True)
class Sensitivity:
    """The score of an algorithm at one value of a key."""

    task: str
    label: str
    value: Json
    n: int
    mean: float
    half: float  # of the 95 % interval


def differences(
    groups: Sequence[Group], metric: str, against: str, last: float, key: str | None = None
) -> list[Difference]:
    """Of every other algorithm to the one labelled `against`, on each task that both have.

    With a `key`, each seed's score is at the value that is best on the other half of the seeds.
    """
    _require(against, {group.label for group in groups})
    found: list[Difference] = []
    for measure in MEASURES:
        scores = {
            place: cross_fitted(by_value)
            for place, by_value in scores_by_value(groups, metric, measure, last, key).items()
        }
        own = [
            difference(task, label, measure, ours, scores[task, against])
            for (task, label), ours in sorted(scores.items())
            if label != against and (task, against) in scores
        ]
        found += corrected([each for each in own if each is not None])
    return found


def _require(against: str, labels: set[str]) -> None:
    if against not in labels:
        raise UserError(
            f"--against {against}: no algorithm has that label.{did_you_mean(against, labels)} "
            f"There are: {', '.join(sorted(labels))}."
        )


def unpaired(groups: Sequence[Group], found: Sequence[Difference], against: str) -> list[str]:
    """Which algorithms are compared by fewer seeds than were played, or not at all."""
    seeds = {(group.task, group.label): {run.seed for run in group.runs} for group in groups}
    pairs = {(each.task, each.label): each.n for each in found}
    said = []
    for (task, label), own in sorted(seeds.items()):
        theirs, n = seeds.get((task, against), set()), pairs.get((task, label), 0)
        if label != against and n < len(own | theirs):
            of_pairs = f"{n} pairs are compared" if n else "nothing is compared without two pairs"
            said.append(
                f"{task}: {label} has {len(own)} seeds, {against} has {len(theirs)}; {of_pairs}"
            )
    return said


def difference(
    task: str, label: str, measure: str, ours: Scores, theirs: Scores
) -> Difference | None:
    """None where they share no two seeds."""
    shared = [seed for seed in ours if seed in theirs]
    if len(shared) < 2:
        return None
    apart = np.array([ours[seed] - theirs[seed] for seed in shared])
    mean, half = interval(apart)
    error = apart.std(ddof=1) / math.sqrt(len(apart))
    t = math.inf if error == 0 else mean / error
    p = 1.0 if mean == 0 else two_sided_p(t, len(apart) - 1)
    return Difference(task, label, measure, len(apart), mean, mean - half, mean + half, p)


def interval(values: np.ndarray) -> tuple[float, float]:
    """The mean, and half of its 95 % interval; NaN for a single value."""
    if len(values) < 2:
        return float(values.mean()), math.nan
    error = float(values.std(ddof=1)) / math.sqrt(len(values))
    return float(values.mean()), quantile(LEVEL, len(values) - 1) * error


def corrected(found: Sequence[Difference]) -> list[Difference]:
    """With Holm's p: the smallest of m times m, the next times m - 1 ..., and never falling."""
    worst, holm = 0.0, {}
    for rank, i in enumerate(sorted(range(len(found)), key=lambda i: found[i].p)):
        worst = max(worst, min(1.0, (len(found) - rank) * found[i].p))
        holm[i] = worst
    return [replace(each, holm=holm[i]) for i, each in enumerate(found)]


# ---------------------------------------------------------------- scores


def scores_by_value(
    groups: Sequence[Group], metric: str, measure: str, last: float, key: str | None
) -> dict[tuple[str, str], dict[Json, Scores]]:
    """(task, label) -> value of the key -> seed -> score; without a key there is one value."""
    ends = common_ends(groups, metric)

    def score(run: Record, task: str) -> float:
        series = finite(run.metrics[metric])
        if measure == "AUC":
            return auc_of(series, ends[task])
        return final_of(series, ends[task], last)

    return {
        (group.task, group.label): {
            value: by_seed(runs, [score(run, group.task) for run in runs])
            for value, runs in by_value(group.runs, key).items()
        }
        for group in groups
    }


def common_ends(groups: Sequence[Group], metric: str) -> dict[str, int]:
    """By task, the step that all its runs reached."""
    runs = [(group.task, run) for group in groups for run in group.runs]
    steps = [finite(run.metrics[metric]).steps for _, run in runs]
    ends: dict[str, int] = {}
    for (task, _), own in zip(runs, steps, strict=True):
        ends[task] = min(int(own[-1]), ends.get(task, int(own[-1])))
    for (task, run), own in zip(runs, steps, strict=True):
        require_begun(run, metric, int(own[0]), f"another run of {task}", ends[task])
    return ends


def by_value(runs: Sequence[Record], key: str | None) -> dict[Json, list[Record]]:
    found: dict[Json, list[Record]] = {}
    for run in runs:
        value = None if key is None else value_of(run, key)
        found.setdefault(str(value) if isinstance(value, list) else value, []).append(run)
    return dict(sorted(found.items(), key=lambda item: order_key(item[0])))


def by_seed(runs: Sequence[Record], scores: Sequence[float]) -> Scores:
    """The mean where a seed was played more than once."""
    found: dict[Json, list[float]] = {}
    for run, score in zip(runs, scores, strict=True):
        found.setdefault(run.seed, []).append(score)
    return {seed: float(np.mean(own)) for seed, own in found.items()}


def cross_fitted(scores: Mapping[Json, Scores]) -> Scores:
    """Of each seed, at the value that is best on the other half of the seeds; seeds alternate.

    No seed so has a say in the value that it is judged at.
    """
    if len(scores) == 1:
        return next(iter(scores.values()))
    seeds = sorted({seed for own in scores.values() for seed in own}, key=order_key)
    if len(seeds) < 2:
        raise UserError(
            "--choose needs at least two seeds of each algorithm; one has a single seed."
        )
    halves = set(seeds[::2]), set(seeds[1::2])
    found: dict[Json, float] = {}
    for judged, others in (halves, halves[::-1]):
        best = best_value(scores, others)
        found |= {seed: score for seed, score in scores[best].items() if seed in judged}
    return found


def best_value(scores: Mapping[Json, Scores], seeds: set[Json]) -> Json:
    """The first with the highest mean over these seeds, of those that lack the fewest of them."""
    among = {value: [own[seed] for seed in seeds & own.keys()] for value, own in scores.items()}
    most = max(map(len, among.values()))
    means = {value: np.mean(own) for value, own in among.items() if len(own) == most}
    return max(means, key=lambda value: means[value])


def order_key(value: Json) -> tuple[str, float | str]:
    """By which seeds and values of a key are sorted: numbers by size, then all else."""
    return ("", float(value)) if isinstance(value, int | float) else (str(type(value)), str(value))


def sensitivities(groups: Sequence[Group], metric: str, key: str) -> list[Sensitivity]:
    """The AUC of every algorithm at every value of a key."""
    found = []
    for (task, label), own in sorted(
        scores_by_value(groups, metric, "AUC", LAST_PART, key).items()
    ):
        for value, scores in own.items():
            values = np.array(list(scores.values()))
            found.append(Sensitivity(task, label, value, len(values), *interval(values)))
    return found
