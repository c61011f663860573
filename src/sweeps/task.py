"""What Ray runs for each run of a sweep: main.py in a process of its own, watched."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

from envs.vector.guardian import Guardian
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


class RunFailed(Exception):
    """main.py ended badly; it may go better from its last checkpoint."""


def play(words: tuple[str, ...], folder: str, identity: str, cwd: str) -> None:
    """Play a run to its end, from its last checkpoint if there is one.

    A task that Ray repeats after a machine was lost may come before the run's process there is
    gone, or after it had finished: it waits for the one and looks for the other.
    """
    pages = RunPages(Path(folder))
    with held(pages.folder / ".lock", PATIENCE) as lock:
        if lock is None:
            raise RunFailed("it is still going in another process")
        attempts = pages.attempts
        if attempts and _is_finished(words, identity):
            return
        attempt = Attempt(socket.gethostname(), time.time())
        pages.write_attempts([*attempts, attempt])
        try:
            exit_code = attempt.exit_code = _main(words, pages.output, lock, cwd)
        finally:
            attempt.ended = time.time()
            pages.write_attempts([*attempts, attempt])
    if exit_code != 0:
        raise RunFailed(f"exit code {exit_code}: {pages.last_line}")


def _is_finished(words: tuple[str, ...], identity: str) -> bool:
    from sweeps.known import KnownRuns  # imports torch: only where it was tried before
    from utils.config import load_config

    config = load_config(list(words)).config
    return KnownRuns(config).finished(identity, config["t_max"]) is not None


def _main(words: tuple[str, ...], output: Path, lock: int, cwd: str) -> int:
    """Its exit code. When this task is cancelled, the run is asked to save and leave."""
    environment = {key: value for key, value in os.environ.items() if key not in OF_RAY}
    with output.open("ab") as file:
        process = subprocess.Popen(
            [sys.executable, str(MAIN), *words, "resume=latest"],
            stdin=subprocess.DEVNULL,
            stdout=file,
            stderr=subprocess.STDOUT,
            env=environment,
            cwd=cwd,
            start_new_session=True,
            pass_fds=[lock],
        )
    guardian = Guardian()  # ends the run if this worker dies, or its machine's Ray
    guardian.watch(process.pid)
    try:
        while process.poll() is None:
            time.sleep(POLL_SECONDS)
    except KeyboardInterrupt:
        process.send_signal(signal.SIGTERM)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(LEAVE_SECONDS)
        raise
    finally:
        guardian.close()  # kills what is left of it
        process.wait()
    return process.returncode
