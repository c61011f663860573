"""Workers as processes of this machine, seen through shared memory.

What happens at every step costs two wake-ups a process; all else goes through pipes.
"""

from __future__ import annotations

import contextlib
import errno
import multiprocessing
import os
import select
import signal
import time
from collections.abc import Iterator, Mapping, Sequence
from multiprocessing import resource_tracker

import numpy as np

from envs.values import EnvInfo
from envs.vector.guardian import Guardian
from envs.vector.rows import Arrays, Build, Fields, fields_for
from envs.vector.shared import SharedArrays
from envs.vector.wakeups import WakeUp
from envs.vector.worker_process import Builders, Channel, Reply, main, tell
from envs.vector.workers import CLOSE_SECONDS, NO_ANSWER, WorkerLost, Workplace
from utils.errors import UserError

# Workers are forked from a server that has numpy and little else: they start at once and have most
# of their memory in common, also in the processor's caches. A fork of this process would copy
# torch's threads half dead.
SERVER = multiprocessing.get_context("forkserver")
SERVER.set_forkserver_preload(["numpy"])
SCARCE = (  # what goes with a server that cannot fork, or has ended over it (which has no number)
    *(None, errno.EAGAIN, errno.ENOMEM, errno.EMFILE, errno.ENFILE),
    *(errno.EPIPE, errno.ECONNRESET, errno.ECONNREFUSED),
)
NOT_STARTED = (
    "No process could be started for an environment ({error!r}): this machine is out of memory, of "
    "processes or of open files. Type a smaller batch_size_run, or let more environments share "
    "a process, as in env_processes=2."
)


class Processes(Workplace):
    """`count` processes that share the rows; their guardian ends them if this one dies.

    A process that is lost takes the episodes of all its rows with it.
    """

    def __init__(self, builders: Sequence[Build], seeds: Sequence[int], count: int) -> None:
        self.n_envs = n = len(builders)
        self._builders, self._seeds = builders, seeds
        self._teams = [rows.tolist() for rows in np.array_split(np.arange(n), min(count, n))]
        self._team_of = {row: team for team, rows in enumerate(self._teams) for row in rows}
        self.rows_each = len(self._teams[0])
        self._processes: list[WorkerProcess | None] = [None] * len(self._teams)
        self._guardian = Guardian()
        self._shared: SharedArrays | None = None
        self._arrays: Arrays = {}  # the shared ones, once there are any

    def start(self, row: int) -> WorkerProcess:
        team = self._team_of[row]
        process = self._processes[team]
        if process is None or process.ended:
            builders = {each: self._builders[each] for each in self._teams[team]}
            seed = self._seeds[self._teams[team][0]]
            process = WorkerProcess(builders, self.n_envs, seed, self._guardian, self._arrays)
            self._processes[team] = process
        return process

    def make_arrays(self, info: EnvInfo) -> Arrays:
        asked: Fields = {"asked": ((self.n_envs,), np.bool_)}  # rows that are to step
        self._fields = fields_for(info, self.n_envs) | asked
        self._shared = SharedArrays(self._fields)
        self._arrays.update(self._shared.arrays)
        return self._arrays

    def attachment(self) -> tuple[object, ...]:
        assert self._shared is not None
        return self._shared.name, self._fields

    def close(self) -> None:
        self._guardian.close()
        self._arrays.clear()
        if self._shared is not None:
            self._shared.close()
            self._shared = None


class WorkerProcess:
    """The main process's end of one process: commands are noted, and told all at once."""

    def __init__(
        self, builders: Builders, n_envs: int, seed: int, guardian: Guardian, arrays: Arrays
    ) -> None:
        self.rows: Sequence[int] = list(builders)
        self._guardian, self._arrays = guardian, arrays
        try:
            self._pipe, theirs = SERVER.Pipe()
            self._step, self._stepped = WakeUp(), WakeUp()
            channel = Channel(theirs, self._step, self._stepped)
            # The server's environment variables are those of when it was started.
            given = (channel, builders, n_envs, seed, dict(os.environ))
            self._process = SERVER.Process(target=main, args=given, daemon=True)
            with nobody_interrupted():
                self._process.start()
        except (EOFError, OSError) as error:
            if getattr(error, "errno", None) not in SCARCE:
                raise  # such as a full disk
            raise UserError(NOT_STARTED.format(error=error)) from error
        theirs.close()  # else our recv would never see the worker's end close
        self._answer_or_end = select.poll()  # kept, for to make one takes longer than to ask it
        for source in (self._stepped.fileno(), self._pipe.fileno(), self._process.sentinel):
            self._answer_or_end.register(source, select.POLLIN)
        self._noted: list[tuple[object, ...]] = []  # (row, command, details ...)
        self._asked: list[int] = []  # rows, the last time
        self.ended = False  # by us
        self.pid: int = self._process.pid or 0
        guardian.watch(self.pid)

    def send(self, row: int, *command: object) -> None:
        self._noted.append((row, *command))

    def flush(self) -> None:
        """Tell it what is noted. Never fails, for `receive` finds out, and says why."""
        noted, self._noted = self._noted, []
        with contextlib.suppress(OSError):
            tell(self._pipe, noted)

    def step(self, rows: Sequence[int]) -> None:
        if rows != self._asked:
            asked = self._arrays["asked"]
            asked[self.rows] = False
            asked[rows] = True
            self._asked = list(rows)
        self._step.send()

    def receive(self, deadline: float) -> Mapping[int, Reply]:
        left = deadline - time.monotonic()
        happened = dict(self._answer_or_end.poll(max(0.0, 1000 * left)))
        if not happened:
            raise WorkerLost(NO_ANSWER)
        if self._stepped.fileno() in happened:
            self._stepped.take()
            return {}
        try:
            if self._pipe.fileno() not in happened:
                raise EOFError  # the process ended without an answer
            answers: dict[int, Reply] = self._pipe.recv()
            return answers
        except (EOFError, OSError) as error:
            self._process.join(CLOSE_SECONDS)
            raise WorkerLost(f"Its process ended, {_how(self._process.exitcode)}.") from error

    def close(self, deadline: float) -> None:
        self._process.join(max(0.0, deadline - time.monotonic()))
        self.kill()

    def kill(self) -> None:
        self.ended = True
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.pid, signal.SIGKILL)
        if self._process.is_alive():
            self._process.kill()
        self._process.join()
        self._guardian.forget(self.pid)
        for ours in (self._pipe, self._step, self._stepped):
            ours.close()


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
