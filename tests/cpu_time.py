"""What tests take of the processors: a limit that ends one that hangs, and the ten that take most.

Time is that of a test and of all the processes that it started. On a machine that others share it
stays as it is, unlike the clock's, so a test fails for what it does.
"""

from __future__ import annotations

import faulthandler
import os
import resource
import signal
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any

import pytest

LIMIT = 240.0  # seconds of processor time in one test; the longest takes a tenth of it
SLEEP_LIMIT = 1800.0  # seconds on the clock, for a test that waits for what never comes
LOOK_SECONDS = 5.0
GRACE_SECONDS = 300.0  # to fail by itself; after that, its process is ended
TOO_SHORT = 0.1  # seconds on the clock in which other processes cannot have taken much
SLOWEST = 10
ALARM = signal.SIGUSR2
KEY = "processor seconds"


def used_by_all() -> float:
    """Seconds of processor time that this process and its descendants have used so far."""
    ticks, children = read_processes()
    todo, total = [os.getpid()], 0
    while todo:
        process = todo.pop()
        total += ticks.get(process, 0)
        todo += children.get(process, [])
    return total / os.sysconf("SC_CLK_TCK") if ticks else used_by_ended()


def used_by_ended() -> float:
    """Where there is no /proc: without processes that are still running."""
    ended = resource.getrusage(resource.RUSAGE_CHILDREN)
    return time.process_time() + ended.ru_utime + ended.ru_stime


def read_processes() -> tuple[dict[int, int], dict[int, list[int]]]:
    """The ticks of each process, with those of its children that have ended, and its children."""
    ticks: dict[int, int] = {}
    children: dict[int, list[int]] = {}
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = path.read_text().rsplit(")", 1)[1].split()
        except OSError:
            continue  # it has just ended
        process = int(path.parent.name)
        ticks[process] = sum(map(int, fields[11:15]))
        children.setdefault(int(fields[1]), []).append(process)
    return ticks, children


class CpuTime:
    """A pytest plugin: in the processes that run tests, and in the one that reports."""

    def __init__(self, config: pytest.Config) -> None:
        self._config = config
        self._begun = time.monotonic()
        self._taken: dict[str, tuple[float, float]] = {}  # test -> seconds: processor, clock
        self._workers = 0.0
        self._since = (0.0, 0.0, 0.0)  # where the test began: all processes, this one, the clock

    # In the processes that run tests.

    def pytest_sessionstart(self) -> None:
        self._since = (used_by_all(), time.process_time(), time.monotonic())

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_protocol(self) -> Iterator[None]:
        with limited(self._since[0], LIMIT, SLEEP_LIMIT):
            return (yield)

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(self, call: pytest.CallInfo[None]) -> Iterator[None]:
        report: Any = yield
        if call.when == "teardown":
            report.user_properties.append((KEY, self._take()))
        return report

    def _take(self) -> tuple[float, float]:
        """Seconds since this was last asked: processor, clock."""
        everyone, own, clock = self._since
        now = (time.process_time(), time.monotonic())
        if now[1] - clock < TOO_SHORT:
            used, everyone = now[0] - own, everyone + now[0] - own
        else:
            used, everyone = max(0.0, (total := used_by_all()) - everyone), total
        self._since = (everyone, *now)
        return used, now[1] - clock

    def pytest_sessionfinish(self) -> None:
        if (output := getattr(self._config, "workeroutput", None)) is not None:
            output[KEY] = used_by_all()

    # In the process that reports.

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        for key, value in report.user_properties:
            if key == KEY:
                self._taken[report.nodeid] = tuple(value)

    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodedown(self, node: Any) -> None:
        self._workers += getattr(node, "workeroutput", {}).get(KEY, 0.0)

    def pytest_terminal_summary(self, terminalreporter: Any) -> None:
        slowest = sorted(self._taken, key=lambda test: -self._taken[test][0])[:SLOWEST]
        terminalreporter.section("processor time (and on the clock) of the slowest")
        for test in slowest:
            used, clock = self._taken[test]
            terminalreporter.write_line(f"{used:6.1f} s ({clock:6.1f} s) {test}")
        used = self._workers + time.process_time() if self._workers else used_by_all()
        clock = time.monotonic() - self._begun
        terminalreporter.write_line(
            f"All: {minutes(used)} of processor time, {minutes(clock)} on the clock"
        )


def minutes(seconds: float) -> str:
    return f"{int(seconds // 60)} min {int(seconds % 60)} s"


@contextmanager
def limited(used_before: float, limit: float, sleep_limit: float) -> Iterator[None]:
    """Fail what is done meanwhile once it has taken too much, and end this process if need be."""
    over = threading.Event()
    test = threading.get_ident()

    def watch() -> None:
        deadline = time.monotonic() + sleep_limit
        while not over.wait(min(LOOK_SECONDS, limit)):
            if used_by_all() - used_before > limit or time.monotonic() > deadline:
                signal.pthread_kill(test, ALARM)
                break
        else:
            return
        if not over.wait(GRACE_SECONDS):
            faulthandler.dump_traceback(sys.__stderr__)
            os._exit(1)

    def fail(number: int, frame: FrameType | None) -> None:
        pytest.fail(f"More than {limit:.0f} s of processor time, or {sleep_limit:.0f} s in all")

    earlier = signal.signal(ALARM, fail)
    watcher = threading.Thread(target=watch, daemon=True)
    watcher.start()
    try:
        yield
    finally:
        over.set()
        try:
            watcher.join()  # where it can still fail
        finally:
            signal.signal(ALARM, earlier)
