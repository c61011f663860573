"""What Ray runs for each run of a sweep: main.py in a process of its own, watched.

Where a worker plays several runs, their processes are forked from one that has imported what they
all need: a run starts in a fraction of a second, and computes what it computes alone.
"""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from envs.vector.guardian import Guardian
from machine.warm_process import NotForkedError, WarmProcess, can_be_warm
from sweeps.book import POLL_SECONDS, Attempt, RunPages, held

MAIN = Path(__file__).resolve().parents[1] / "main.py"
LEAVE_SECONDS = 120.0  # for a run to save and leave
PATIENCE = 120.0  # for the process of an earlier attempt to be gone
# What Ray sets for its workers and a run of its own must not inherit.
OF_RAY = (
    "RAY_RAYLET_PID",
    "RAY_JOB_ID",
    "RAY_CLIENT_MODE",
    "RAY_LD_PRELOAD_ON_WORKERS",
    "PYTHONBREAKPOINT",
)


@dataclass(frozen=True)
class Job:
    """A run, as whoever plays it must know it; all paths are absolute."""

    words: tuple[str, ...]  # of its command line
    identity: str
    t_max: int
    pages: Path
    results: Path
    cwd: str  # plugins and settings files may be named relative to it
    goes_on: bool = True  # whether there may be a run of these settings to go on with
    warm: bool = False  # whether more runs follow, so that it pays to import once for all


class WarmRun(WarmProcess):
    """main.py, forked from a process that has imported it."""

    preloaded = ("sweeps.warm",)


class RunFailed(Exception):
    """main.py ended badly; it may go better from its last checkpoint."""


def play(job: Job) -> None:
    """Play a run to its end, from its last checkpoint if there is one.

    A task that Ray repeats after a machine was lost may come before the run's process there is
    gone, or after it had finished: it waits for the one and looks for the other.
    """
    pages = RunPages(job.pages)
    with held(pages.folder / ".lock", PATIENCE) as lock:
        if lock is None:
            raise RunFailed("it is still going in another process")
        attempts = pages.attempts
        if attempts and _is_finished(job):
            return
        attempt = Attempt(socket.gethostname(), time.time())
        pages.write_attempts([*attempts, attempt])
        try:
            exit_code = attempt.exit_code = _main(job, bool(attempts), pages.output, lock)
        finally:
            attempt.ended = time.time()
            pages.write_attempts([*attempts, attempt])
    if exit_code != 0:
        raise RunFailed(f"exit code {exit_code}: {pages.last_line}")


def _is_finished(job: Job) -> bool:
    from sweeps.known import KnownRuns  # imports torch: only where it was tried before

    return KnownRuns(job.results).finished(job.identity, job.t_max) is not None


def _main(job: Job, again: bool, output: Path, lock: int) -> int:
    """Its exit code. When this task is cancelled, the run is asked to save and leave."""
    going_on = ["resume=latest"] if again or job.goes_on else []
    command = [sys.executable, str(MAIN), *job.words, *going_on]
    with output.open("ab") as file, cancellations() as cancelled:
        guardian = Guardian()  # ends the run if this worker dies, or its machine's Ray
        options: dict[str, Any] = {
            "stdin": subprocess.DEVNULL,
            "stdout": file,
            "stderr": subprocess.STDOUT,
            "env": environment(),
            "cwd": job.cwd,
            "start_new_session": True,
            "pass_fds": [lock],
        }
        process = started(command, options, job.warm)
        guardian.watch(process.pid)
        try:
            while process.poll() is None and not cancelled:
                with contextlib.suppress(subprocess.TimeoutExpired):
                    process.wait(POLL_SECONDS)
            if cancelled:
                process.send_signal(signal.SIGTERM)
                with contextlib.suppress(subprocess.TimeoutExpired):
                    process.wait(LEAVE_SECONDS)
        finally:
            guardian.close()  # kills what is left of it
            process.wait()
    if cancelled:
        raise KeyboardInterrupt  # what Ray expects of a task that it cancels
    return process.returncode


def started(command: list[str], options: dict[str, Any], warm: bool) -> subprocess.Popen[Any]:
    """Forked if that is asked for and can be, else anew."""
    if warm and can_be_warm(command, options):
        with contextlib.suppress(NotForkedError):
            return WarmRun(command, **options)
    return subprocess.Popen(command, **options)


def environment() -> dict[str, str]:
    """The variables of a run that was typed: without Ray's, and without the path to our modules.

    Ray's workers need that one; main.py knows it by itself.
    """
    found = {key: value for key, value in os.environ.items() if key not in OF_RAY}
    places = found.pop("PYTHONPATH", "").split(os.pathsep)
    others = [place for place in places if place and Path(place) != MAIN.parent]
    return {**found, "PYTHONPATH": os.pathsep.join(others)} if others else found


@contextlib.contextmanager
def cancellations() -> Iterator[list[int]]:
    """Fills when Ray cancels the task; as an exception it could come between a process and us."""
    came: list[int] = []
    earlier = signal.signal(signal.SIGINT, lambda number, _: came.append(number))
    try:
        yield came
    finally:
        signal.signal(signal.SIGINT, earlier)
