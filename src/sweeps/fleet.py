"""The runs of a sweep as tasks of Ray: it schedules them, and repeats those that are lost."""

from __future__ import annotations

import os
from collections.abc import Iterator
from types import ModuleType

from machine.ray_cluster import connect
from sweeps.known import KnownRuns
from sweeps.memory import Need
from sweeps.order import Order
from sweeps.room import Room
from sweeps.table import Entry
from sweeps.task import LEAVE_SECONDS, Job, RunFailed, play
from utils.logging import get_logger

SETTLE_SECONDS = 5.0  # beyond what the slowest run may take to leave


class Fleet:
    """Tasks in flight; leave by `recall` or when all have landed."""

    def __init__(
        self, order: Order, entries: list[Entry], memory: dict[str, Need], known: KnownRuns
    ) -> None:
        self._ray: ModuleType = connect(order.address)
        machines = [node["Resources"] for node in self._ray.nodes() if node["Alive"]]
        room = Room(machines, order.cpus, order.gpus)
        short = room.check({entry.run.label: memory[entry.run.identity] for entry in entries})
        if short:
            get_logger().warning(f"Warning: {short}")
        task, warm = self._ray.remote(play), len(entries) > room.at_once(0)
        self._flying: dict[object, Entry] = {}
        for entry in entries:
            placed = task.options(
                num_cpus=order.cpus,
                num_gpus=order.gpus,
                memory=room.memory_of(memory[entry.run.identity]),
                max_retries=order.retries,
                retry_exceptions=[RunFailed],
            )
            self._flying[placed.remote(job_of(entry, known, warm))] = entry

    def __len__(self) -> int:
        return len(self._flying)

    def landed(self, seconds: float) -> Iterator[tuple[Entry, str]]:
        """What ended within `seconds`: the run, and why it failed ("" if it did not)."""
        flying = list(self._flying)
        if not self._ray.wait(flying, num_returns=1, timeout=seconds)[0]:
            return
        ended, _ = self._ray.wait(flying, num_returns=len(flying), timeout=0)
        for reference in ended:
            yield self._flying.pop(reference), failure(self._ray, reference)

    def recall(self) -> None:
        """Ask all to save and leave, and wait for that."""
        for reference in self._flying:
            self._ray.cancel(reference)
        waiting = list(self._flying)
        if waiting:
            seconds = LEAVE_SECONDS + SETTLE_SECONDS
            self._ray.wait(waiting, num_returns=len(waiting), timeout=seconds)
        self._flying.clear()


def job_of(entry: Entry, known: KnownRuns, warm: bool) -> Job:
    run = entry.run
    return Job(
        run.words,
        run.identity,
        run.config["t_max"],
        entry.pages.folder,
        known.results,
        os.getcwd(),
        goes_on=known.begun(run.identity),
        warm=warm,
    )


def failure(ray: ModuleType, reference: object) -> str:
    """Why a task that has ended failed; "" if it did not."""
    try:
        ray.get(reference)
    except ray.exceptions.RayTaskError as error:  # its own exception, without Ray's traceback
        cause = error.cause
        told = isinstance(cause, RunFailed)
        return str(cause) if told else f"{type(cause).__name__}: {cause}"
    except ray.exceptions.RayError as error:
        return f"Its worker was lost, and so were the retries. {str(error).partition(chr(10))[0]}"
    return ""
