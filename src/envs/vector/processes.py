"""Workers as processes of this machine: driven through pipes, seen through shared memory."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import select
import signal
import time
from collections.abc import Callable, Iterator, Sequence
from multiprocessing import resource_tracker
from typing import Any

import numpy as np

from envs.vector.guardian import Guardian
from envs.vector.rows import Fields, fields_for
from envs.vector.shared import SharedArrays
from envs.vector.worker_process import main, tell
from envs.vector.workers import CLOSE_SECONDS, NO_ANSWER, WorkerLost, Workplace

# Workers are forked from a server that has numpy and little else: they start at once and have most
# of their memory in common, also in the processor's caches. A fork of this process would copy
# torch's threads half dead.
SERVER = multiprocessing.get_context("forkserver")
SERVER.set_forkserver_preload(["numpy"])


class Processes(Workplace):
    """One process a row, ended by a guardian if this one dies without a word."""

    def __init__(self, builders: Sequence[Callable[[], Any]], seeds: Sequence[int]) -> None:
        self.n_envs = len(builders)
        self._builders, self._seeds = builders, seeds
        self._guardian = Guardian()
        self._shared: SharedArrays | None = None

    def start(self, row: int) -> ProcessHandle:
        return ProcessHandle(self._builders[row], self._seeds[row], row, self._guardian)

    def make_arrays(self, info: dict[str, Any]) -> dict[str, np.ndarray]:
        self._fields: Fields = fields_for(info, self.n_envs)
        self._shared = SharedArrays(self._fields)
        return self._shared.arrays

    def attachment(self) -> tuple[Any, ...]:
        assert self._shared is not None
        return self._shared.name, self._fields

    def close(self) -> None:
        self._guardian.close()
        if self._shared is not None:
            self._shared.close()
            self._shared = None


class ProcessHandle:
    """The main process's end of one worker."""

    def __init__(self, build: Callable[[], Any], seed: int, row: int, guardian: Guardian) -> None:
        self._guardian = guardian
        self._pipe, theirs = SERVER.Pipe()
        # The server's environment variables are those of when it was started.
        given = (theirs, build, seed, row, dict(os.environ))
        self._process = SERVER.Process(target=main, args=given, daemon=True)
        with nobody_interrupted():
            self._process.start()
        theirs.close()  # else our recv would never see the worker's end close
        self._answer_or_end = select.poll()  # kept, for to make one takes longer than to ask it
        self._answer_or_end.register(self._pipe.fileno(), select.POLLIN)
        self._answer_or_end.register(self._process.sentinel, select.POLLIN)
        self.pid: int = self._process.pid or 0
        guardian.watch(self.pid)

    def send(self, *command: Any) -> None:
        with contextlib.suppress(OSError):  # `receive` finds out, and says why
            tell(self._pipe, command)

    def receive(self, deadline: float) -> Any:
        left = deadline - time.monotonic()
        happened = self._answer_or_end.poll(max(0.0, 1000 * left))
        if not happened:
            raise WorkerLost(NO_ANSWER)
        try:
            if self._pipe.fileno() not in dict(happened):
                raise EOFError  # the process ended without an answer
            outcome, answer = self._pipe.recv()
        except (EOFError, OSError) as error:
            self._process.join(CLOSE_SECONDS)
            raise WorkerLost(f"Its process ended, {_how(self._process.exitcode)}.") from error
        if outcome == "failed":
            raise WorkerLost(answer)
        return answer

    def close(self, deadline: float) -> None:
        self._process.join(max(0.0, deadline - time.monotonic()))
        self.kill()

    def kill(self) -> None:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.pid, signal.SIGKILL)
        if self._process.is_alive():
            self._process.kill()
        self._process.join()
        self._guardian.forget(self.pid)
        self._pipe.close()


@contextlib.contextmanager
def nobody_interrupted() -> Iterator[None]:
    """What is started meanwhile never hears of Ctrl-C, which is the main process's to handle.

    That is the server, and so all it forks, also before they can say so themselves.
    """
    resource_tracker.ensure_running()  # the server would start it, and that ends the blocking
    earlier = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, earlier)


def _how(exit_code: int | None) -> str:
    if exit_code is not None and exit_code < 0:
        return f"killed by signal {-exit_code}"
    return f"with exit code {exit_code}"
