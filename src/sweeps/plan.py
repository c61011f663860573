"""From an order to its runs: each with its command line and its whole configuration."""

from __future__ import annotations

import functools
import itertools
import math
from dataclasses import dataclass
from pathlib import Path

from configuration import load_config
from configuration.dialects import ALIASES
from configuration.unused import unread
from records.resume import identity
from sweeps.order import EXAMPLE, FILES, Order, check_count
from utils.errors import UserError
from utils.settings import Settings

Axes = dict[str, list[str]]  # the values of each setting
Choice = dict[str, str]  # one of each
RESERVED = {
    "resume": "A sweep goes on by itself: repeat the same command.",
    "local_results_path": "One sweep writes to one place.",
}


@dataclass(frozen=True)
class PlannedRun:
    """One run of main.py."""

    words: tuple[str, ...]  # of its command line
    config: Settings  # fully resolved
    group: str  # what it is beside its seed: "qmix two_step lr=0.1"
    warnings: tuple[str, ...] = ()

    @functools.cached_property
    def identity(self) -> str:
        return identity(self.config)

    @property
    def label(self) -> str:
        return f"{self.group} seed={self.config['seed']}"


@dataclass(frozen=True)
class Plan:
    """A sweep: its name and its runs."""

    name: str
    runs: list[PlannedRun]


def make_plan(order: Order) -> Plan:
    """Every combination of the order's values; a UserError for the first that cannot run."""
    axes = order.axes
    for key in (*FILES, "seed"):
        if key not in axes:
            option = f"--{key}=" if key in FILES else f"{key}="
            raise UserError(f"The sweep needs {option}... Example: {EXAMPLE}")
    for key, why in RESERVED.items():
        if len(axes.get(key, [])) > (key == "local_results_path"):
            raise UserError(f"{key}={','.join(axes[key])} cannot be swept. {why}")
    for key, wanted in axes.items():
        if not wanted:
            raise UserError(f"{key} has no value. Give it one, or leave the line out.")
    counts = " x ".join(f"{len(wanted)} {key}" for key, wanted in axes.items() if len(wanted) > 1)
    check_count(math.prod(map(len, axes.values())), counts)
    # Seeds vary slowest: all settings have one result before any has its second.
    slowest_first = sorted(axes, key=lambda key: key != "seed")
    combinations = itertools.product(*(axes[key] for key in slowest_first))
    chosen = [dict(zip(slowest_first, values, strict=True)) for values in combinations]
    runs = _without_idle([{key: choice[key] for key in axes} for choice in chosen], axes)
    _refuse_doubles(runs)
    places = {run.config["local_results_path"] for run in runs}
    if len(places) > 1:
        raise UserError(
            f"The settings files name {len(places)} places for results: "
            f"{', '.join(sorted(places))}. {RESERVED['local_results_path']} Name it after `with`: "
            "local_results_path=..."
        )
    return Plan(order.name or _name(axes), runs)


def _planned(choice: Choice, axes: Axes) -> PlannedRun:
    settings = {key: value for key, value in choice.items() if key not in FILES}
    words = [f"--{key}={choice[key]}" for key in FILES]
    words += ["with", *(f"{key}={value}" for key, value in settings.items())]
    loaded = load_config(words)
    if "t_max" not in settings:  # a run that goes on takes it from its command line alone
        words.append(f"t_max={loaded.config['t_max']}")
    varied = [key for key in settings if key != "seed" and len(axes[key]) > 1]
    group = [Path(choice[key]).stem for key in FILES]
    group += [f"{key.rpartition('.')[2]}={settings[key]}" for key in varied]
    if loaded.config["seed"] is None:
        raise UserError("seed=None draws a seed, so the run could not be found again. Say which.")
    return PlannedRun(tuple(words), loaded.config, " ".join(group), tuple(loaded.warnings))


def _without_idle(choices: list[Choice], axes: Axes) -> list[PlannedRun]:
    """A setting that only some of the algorithms read is given to those, and multiplies them alone.

    One that none of them reads stays with all, which is warned of.
    """
    runs = [_planned(choice, axes) for choice in choices]
    unread_by = [_unread(run, choice) for run, choice in zip(runs, choices, strict=True)]
    pairs = zip(choices, unread_by, strict=True)
    read_by_some = {key for choice, keys in pairs for key in choice.keys() - keys}
    found: list[PlannedRun] = []
    known: set[tuple[tuple[str, str], ...]] = set()
    for choice, run, keys in zip(choices, runs, unread_by, strict=True):
        if not keys & read_by_some:
            found.append(run)
            continue
        fewer = {key: value for key, value in choice.items() if key not in keys & read_by_some}
        if tuple(fewer.items()) not in known:
            known.add(tuple(fewer.items()))
            found.append(_planned(fewer, axes))
    return found


def _unread(run: PlannedRun, choice: Choice) -> set[str]:
    """Of the settings of the sweep, those that this run does not read."""
    names = {ALIASES.get(key, key): key for key in choice}
    keys = set().union(*unread(run.config, set(names)).values())
    return {names[key] for key in keys}


def _refuse_doubles(runs: list[PlannedRun]) -> None:
    seen: dict[str, PlannedRun] = {}
    for run in runs:
        twin = seen.setdefault(run.identity, run)
        if twin is not run:
            raise UserError(
                "Two runs of this sweep learn the same: they differ in nothing, or only in what "
                "a run may change on its way (t_max, log_interval, label ...).\n"
                f"  {' '.join(twin.words)}\n  {' '.join(run.words)}"
            )


def _name(axes: dict[str, list[str]]) -> str:
    """ "qmix+vdn_on_two_step": so that more seeds are found in the same folder."""
    algorithms, tasks = ("+".join(Path(name).stem for name in axes[key]) for key in FILES)
    return f"{algorithms}_on_{tasks}"[:100]
