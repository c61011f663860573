"""The runs of a sweep as tasks of Ray: it schedules them, and repeats those that are lost."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

from machine.ray_cluster import connect
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
        self, order: Order, entries: list[Entry], memory: dict[str, Need], results: Path
    ) -> None:
        self._ray: ModuleType = connect(order.address)
        machines = [node["Resources"] for node in self._ray.nodes() if node["Alive"]]
        room = Room(machines, order.cpus, order.gpus)
        short = room.check({entry.run.label: memory[entry.run.identity] for entry in entries})
        if short:
            get_logger().warning(f"Warning: {short}")
        task = self._ray.remote(play)
        self._flying: dict[object, Entry] = {}
        for entry in entries:
            placed = task.options(
                num_cpus=order.cpus,
                num_gpus=order.gpus,
                memory=room.memory_of(memory[entry.run.identity]),
                max_retries=order.retries,
                retry_exceptions=[RunFailed],
            )
            self._flying[placed.remote(job_of(entry, results))] = entry

    def __len__(self) -> int:
        return len(self._flying)

    def landed(self, seconds: float) -> Iterator[tuple[Entry, str]]:
        """What ended within `seconds`: the run, and why it failed ("" if it did not)."""
        ended, _ = self._ray.wait(list(self._flying), num_returns=1, timeout=seconds)
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


def job_of(entry: Entry, results: Path) -> Job:
    run = entry.run
    t_max = run.config["t_max"]
    return Job(run.words, run.identity, t_max, entry.pages.folder, results, os.getcwd())


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
