"""Workers as processes of this machine: driven through pipes, seen through shared memory."""

from __future__ import annotations

import contextlib
import errno
import multiprocessing
import os
import select
import signal
import time
from collections.abc import Iterator, Sequence
from multiprocessing import resource_tracker

import numpy as np

from envs.values import EnvInfo
from envs.vector.guardian import Guardian
from envs.vector.rows import Arrays, Build, Fields, fields_for
from envs.vector.shared import SharedArrays
from envs.vector.worker_process import Answer, Builders, Reply, main, tell
from envs.vector.workers import CLOSE_SECONDS, NO_ANSWER, WorkerLost, Workplace
from utils.errors import UserError

# Workers are forked from a server that has numpy and little else: they start at once and have most
# of their memory in common, also in the processor's caches. A fork of this process would copy
# torch's threads half dead.
SERVER = multiprocessing.get_context("forkserver")
SERVER.set_forkserver_preload(["numpy"])
ENDED_WITH_ANOTHER = (
    "Its process was ended, because another environment in it broke (env_processes)."
)
SCARCE = (  # what goes with a server that cannot fork, or has ended over it (which has no number)
    *(None, errno.EAGAIN, errno.ENOMEM, errno.EMFILE, errno.ENFILE),
    *(errno.EPIPE, errno.ECONNRESET, errno.ECONNREFUSED),
)
NOT_STARTED = (
    "No process could be started for an environment ({error!r}): this machine is out of memory, of "
    "processes or of open files. Type a smaller batch_size_run, or let environments share "
    "processes, as in env_processes=2."
)


class Processes(Workplace):
    """`count` processes that share the rows, or one each; their guardian ends them if this dies.

    A process that is lost takes the episodes of all its rows with it.
    """

    def __init__(
        self,
        builders: Sequence[Build],
        seeds: Sequence[int],
        count: int | None = None,
    ) -> None:
        self.n_envs = n = len(builders)
        self._builders, self._seeds = builders, seeds
        self._teams = np.array_split(np.arange(n), min(count or n, n))
        self.rows_each = len(self._teams[0])
        self._processes: list[WorkerProcess | None] = [None] * len(self._teams)
        self._guardian = Guardian()
        self._shared: SharedArrays | None = None

    def start(self, row: int) -> RowHandle:
        team = next(i for i, rows in enumerate(self._teams) if row in rows)
        process = self._processes[team]
        if process is None or process.ended:
            rows = self._teams[team].tolist()
            builders = {each: self._builders[each] for each in rows}
            process = WorkerProcess(builders, self._seeds[rows[0]], self._guardian)
            self._processes[team] = process
        return RowHandle(process, row)

    def flush(self) -> None:
        for process in self._processes:
            if process is not None:
                process.flush()

    def make_arrays(self, info: EnvInfo) -> Arrays:
        self._fields: Fields = fields_for(info, self.n_envs)
        self._shared = SharedArrays(self._fields)
        return self._shared.arrays

    def attachment(self) -> tuple[object, ...]:
        assert self._shared is not None
        return self._shared.name, self._fields

    def close(self) -> None:
        self._guardian.close()
        if self._shared is not None:
            self._shared.close()
            self._shared = None


class RowHandle:
    """The main process's end of one row's environment, in a process that others may share."""

    def __init__(self, process: WorkerProcess, row: int) -> None:
        self._process, self._row = process, row

    def send(self, *command: object) -> None:
        self._process.note(self._row, *command)

    def receive(self, deadline: float) -> Answer:
        outcome, answer = self._process.answer_of(self._row, deadline)
        if outcome == "failed":
            raise WorkerLost(answer)
        return answer

    def close(self, deadline: float) -> None:
        self._process.close(deadline)

    def kill(self) -> None:
        self._process.kill()


class WorkerProcess:
    """The main process's end of one process: commands are noted, and told all at once."""

    def __init__(self, builders: Builders, seed: int, guardian: Guardian) -> None:
        self._guardian = guardian
        try:
            self._pipe, theirs = SERVER.Pipe()
            # The server's environment variables are those of when it was started.
            given = (theirs, builders, seed, dict(os.environ))
            self._process = SERVER.Process(target=main, args=given, daemon=True)
            with nobody_interrupted():
                self._process.start()
        except (EOFError, OSError) as error:
            if getattr(error, "errno", None) not in SCARCE:
                raise  # such as a full disk
            raise UserError(NOT_STARTED.format(error=error)) from error
        theirs.close()  # else our recv would never see the worker's end close
        self._answer_or_end = select.poll()  # kept, for to make one takes longer than to ask it
        self._answer_or_end.register(self._pipe.fileno(), select.POLLIN)
        self._answer_or_end.register(self._process.sentinel, select.POLLIN)
        self._noted: list[tuple[object, ...]] = []  # (row, command, details ...)
        self._answers: dict[int, Reply] = {}
        self.ended = False  # by us
        self.pid: int = self._process.pid or 0
        guardian.watch(self.pid)

    def note(self, row: int, *command: object) -> None:
        self._answers.pop(row, None)  # to a command that nobody waits for any more
        self._noted.append((row, *command))

    def flush(self) -> None:
        """Tell it what is noted. Never fails, for `answer_of` finds out, and says why."""
        if self._noted and not self.ended:
            with contextlib.suppress(OSError):
                tell(self._pipe, self._noted)
        self._noted = []

    def answer_of(self, row: int, deadline: float) -> Reply:
        """To the last command for this row."""
        while row not in self._answers:
            if self.ended:
                raise WorkerLost(ENDED_WITH_ANOTHER)
            self._answers.update(self._next_answers(deadline))
        return self._answers.pop(row)

    def _next_answers(self, deadline: float) -> dict[int, Reply]:
        left = deadline - time.monotonic()
        happened = self._answer_or_end.poll(max(0.0, 1000 * left))
        if not happened:
            raise WorkerLost(NO_ANSWER)
        try:
            if self._pipe.fileno() not in dict(happened):
                raise EOFError  # the process ended without an answer
            return self._pipe.recv()
        except (EOFError, OSError) as error:
            self._process.join(CLOSE_SECONDS)
            raise WorkerLost(f"Its process ended, {_how(self._process.exitcode)}.") from error

    def close(self, deadline: float) -> None:
        if not self.ended:
            self._process.join(max(0.0, deadline - time.monotonic()))
            self.kill()

    def kill(self) -> None:
        if self.ended:
            return
        self.ended = True
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
