"""A sweep from its order to its summary."""

from __future__ import annotations

import statistics
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path

from machine.signals import StopRequest
from records.tracking import read_json
from sweeps.book import RunPages, held, write_json
from sweeps.fleet import Fleet
from sweeps.known import KnownRuns
from sweeps.memory import Need, needs, said
from sweeps.order import Order, read_order
from sweeps.plan import Plan, PlannedRun, make_plan
from sweeps.room import check_cores
from sweeps.table import DONE, FAILED, Entry, Table
from utils.console import short_name
from utils.errors import UserError
from utils.json_values import JsonObject
from utils.logging import get_logger
from utils.places import make_folder, results_folder
from utils.program import MAIN

REFRESH_SECONDS = 1.0
MANIFEST_SECONDS = 5.0  # at least, between two states of the manifest
MOST_OF_TIME = 0.05  # that may go into writing down and showing where a large sweep stands


def sweep(argv: list[str]) -> int:
    """Play what is missing; the exit code says whether all runs are there now."""
    order = read_order(argv)
    check_cores(order.cpus, order.address)
    plan = make_plan(order)
    known = KnownRuns(results_folder(plan.runs[0].config["local_results_path"]))
    folder = known.results / "sweeps" / plan.name
    entries = [Entry(run, RunPages(folder / "runs" / run.identity)) for run in plan.runs]
    for entry in entries:
        look_up(entry, known)
    for warning in dict.fromkeys(warning for run in plan.runs for warning in run.warnings):
        get_logger().warning(f"Warning: {warning}")
    missing = [entry.run for entry in entries if entry.state != DONE]
    memory = needs(missing, order.memory, known.results)
    if order.dry_run:
        sys.stdout.write(dry_run(plan, entries, said(missing, memory)))
        return 0
    for entry in entries:
        make_folder(entry.pages.folder)
        entry.seen_attempts = len(entry.pages.attempts)
    with alone(folder), StopRequest() as stop:
        write_manifest(folder, entries)
        for line in said(missing, memory):
            get_logger().info(line)
        play_missing(order, plan, entries, memory, known, stop, folder)
        if stop.requested:
            take_stock(entries, known)
            write_manifest(folder, entries)
    for line in summary(entries, known, folder):
        get_logger().info(line)
    if stop.signal is not None:
        return 128 + stop.signal
    return 0 if all(entry.state == DONE for entry in entries) else 1


def look_up(entry: Entry, known: KnownRuns) -> None:
    """Whether the run has been made, by this sweep or otherwise."""
    finished = known.finished(entry.run.identity, entry.run.config["t_max"])
    if finished is not None:
        entry.state, entry.run_id = DONE, finished.run_id


@contextmanager
def alone(folder: Path) -> Iterator[None]:
    with held(folder / ".lock", patience=0) as lock:
        if lock is None:
            raise UserError(
                f"The sweep {folder.name} is going on in another process. Wait for it, stop it, "
                "or give this one another name: --name=..."
            )
        yield


def play_missing(
    order: Order,
    plan: Plan,
    entries: list[Entry],
    memory: dict[str, Need],
    known: KnownRuns,
    stop: StopRequest,
    folder: Path,
) -> None:
    missing = [entry for entry in entries if entry.state != DONE]
    if not missing:
        return
    table = Table(plan.name, entries)
    fleet, writing = Fleet(order, missing, memory, known), NowAndThen(MANIFEST_SECONDS)
    drawing = NowAndThen(REFRESH_SECONDS)
    try:
        while len(fleet) and not stop.requested:
            landed = list(fleet.landed(REFRESH_SECONDS))
            if landed:
                known.refresh()
            for entry, failure in landed:
                settle(entry, failure, known)
            if landed:
                writing.do(lambda: write_manifest(folder, entries))
            drawing.do(table.show)
        table.show()
    finally:
        table.clear()
        fleet.recall()
        write_manifest(folder, entries)


class NowAndThen:
    """What takes the longer the more runs there are is not done at each run's end."""

    def __init__(self, seconds: float) -> None:
        self._least, self._due = seconds, 0.0

    def do(self, what: Callable[[], None]) -> None:
        began = time.monotonic()
        if began < self._due:
            return
        what()
        ended = time.monotonic()
        self._due = ended + max(self._least, (ended - began) / MOST_OF_TIME)


def take_stock(entries: list[Entry], known: KnownRuns) -> None:
    """Where all runs stand after those in flight were recalled; some had ended by then."""
    known.refresh()
    for entry in entries:
        look_up(entry, known)
        entry.look()


def settle(entry: Entry, failure: str, known: KnownRuns) -> None:
    """A run that ended well has left its results where this process finds them."""
    look_up(entry, known)
    if entry.state == DONE:
        return
    nowhere = f"It ended well, but {known.results} does not show it: do all machines share that?"
    entry.state, entry.reason = FAILED, failure or nowhere


# ---------------------------------------------------------------- what is written


def write_manifest(folder: Path, entries: list[Entry]) -> None:
    """All runs that were ever part of the sweep of this name, by their identity."""
    path = folder / "manifest.json"
    runs = read_json(path).get("runs", {})
    runs.update({entry.run.identity: record(entry) for entry in entries})
    write_json(path, {"name": folder.name, "runs": runs})


def record(entry: Entry) -> JsonObject:
    return {
        "label": entry.run.label,
        "command": command(entry.run),
        "state": entry.state,
        "run_id": entry.run_id,
        "reason": entry.reason,
        "attempts": [asdict(attempt) for attempt in entry.pages.attempts],
        "config": entry.run.config,
    }


def command(run: PlannedRun) -> str:
    """The same run, alone."""
    return f"{MAIN} {' '.join(run.words)}"


def dry_run(plan: Plan, entries: list[Entry], memory: list[str]) -> str:
    missing = sum(entry.state != DONE for entry in entries)
    lines = [f"{plan.name}: {len(entries)} runs, {missing} missing"]
    for entry in entries:
        state = f"run {entry.run_id}" if entry.state == DONE else "missing"
        lines.append(f"  {state:<9}{command(entry.run)}")
    return "\n".join([*lines, *memory]) + "\n"


def summary(entries: list[Entry], known: KnownRuns, folder: Path) -> list[str]:
    """For each setting, how many seeds are there and what they came to; then what went wrong."""
    groups: dict[str, list[Entry]] = {}
    for entry in entries:
        groups.setdefault(entry.run.group, []).append(entry)
    width = max(map(len, groups))
    lines = [f"{group:<{width}}  {group_result(own, known)}" for group, own in groups.items()]
    for entry in entries:
        if entry.state == FAILED:
            lines.append(f"failed: {entry.run.label}: {entry.reason}")
            lines.append(f"  what it said: {entry.pages.output}")
    if any(entry.state != DONE for entry in entries):
        lines.append("The same command plays what is missing, from the last checkpoints.")
    return [*lines, f"manifest: {folder / 'manifest.json'}"]


def group_result(entries: list[Entry], known: KnownRuns) -> str:
    done = [entry for entry in entries if entry.state == DONE]
    text = f"{len(done)} of {len(entries)} done"
    found = [known.finished(entry.run.identity, entry.run.config["t_max"]) for entry in done]
    results = [known.result(run) for run in found if run is not None]
    metrics = [key for result in results for key in result if key.startswith("test_")]
    if not metrics:
        return text
    values = [result[metrics[0]] for result in results if metrics[0] in result]
    spread = statistics.stdev(values) if len(values) > 1 else 0.0
    name = short_name(metrics[0])
    return f"{text}, {name} {statistics.fmean(values):.2f}, standard deviation {spread:.2f}"
