"""One process per environment, watched: a worker that crashes, hangs or is killed is replaced."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import signal
import time
from collections.abc import Callable, Sequence
from multiprocessing.connection import Connection, wait
from typing import Any

import numpy as np

from envs.batched import Array, BatchedEnv, Step
from envs.vector.guardian import Guardian
from envs.vector.rows import Fields, fields_for
from envs.vector.shared import SharedArrays
from envs.vector.worker_process import main
from utils.errors import UserError

CLOSE_SECONDS = 5.0
SPAWN = multiprocessing.get_context("spawn")  # fork would copy torch's threads half dead


class WorkerLost(Exception):
    """The worker cannot be used any more; the text says why."""


class WorkerHandle:
    """The main process's end of one worker."""

    def __init__(self, build: Callable[[], Any], seed: int, row: int, guardian: Guardian) -> None:
        self._guardian = guardian
        self._pipe, theirs = SPAWN.Pipe()
        self._process = SPAWN.Process(target=main, args=(theirs, build, seed, row), daemon=True)
        self._process.start()
        theirs.close()  # else our recv would never see the worker's end close
        self.pid: int = self._process.pid or 0
        guardian.watch(self.pid)

    def send(self, *command: Any) -> None:
        with contextlib.suppress(OSError):  # `receive` finds out, and says why
            self._pipe.send(command)

    def receive(self, deadline: float) -> Any:
        """The answer to the last command; WorkerLost if there is none in time, or a bad one."""
        left = deadline - time.monotonic()
        if not wait([self._pipe, self._process.sentinel], timeout=max(0.0, left)):
            raise WorkerLost("It did not answer in time (env_step_timeout, env_start_timeout).")
        try:
            outcome, answer = _receive(self._pipe)
        except (EOFError, OSError) as error:
            self._process.join(CLOSE_SECONDS)
            raise WorkerLost(f"Its process ended, {_how(self._process.exitcode)}.") from error
        if outcome == "failed":
            raise WorkerLost(answer)
        return answer

    def close(self, deadline: float) -> None:
        """Wait for it to leave, as it was asked to; then kill it with everything it started."""
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


def _receive(pipe: Connection) -> tuple[str, Any]:
    if not pipe.poll():
        raise EOFError  # the process ended without an answer
    return pipe.recv()


def _how(exit_code: int | None) -> str:
    if exit_code is not None and exit_code < 0:
        return f"killed by signal {-exit_code}"
    return f"with exit code {exit_code}"


class WorkerVector(BatchedEnv):
    """Rows live in worker processes; observations and actions in memory shared with them."""

    def __init__(
        self,
        builders: Sequence[Callable[[], Any]],
        seeds: Sequence[int],
        start_timeout: float,
        step_timeout: float,
    ) -> None:
        self._builders, self._seeds = builders, seeds
        self._start_timeout, self._step_timeout = start_timeout, step_timeout
        self.n_envs = len(builders)
        self.last_failure: dict[int, str] = {}
        self._workers: list[WorkerHandle | None] = [None] * self.n_envs
        self._shared: SharedArrays | None = None
        self._guardian = Guardian()
        try:
            self._info = self._start_all()
        except BaseException:
            self.close()
            raise

    def get_env_info(self) -> dict[str, Any]:
        return self._info

    def reset(self, rows: Array, seeds: Array) -> Array:
        missing = [row for row in rows.tolist() if self._workers[row] is None]
        for row in missing:
            self._workers[row] = self._start(row)
            self._send(row, "build")
        self._collect(missing, self._start_timeout)
        for row in missing:
            self._send(row, "attach", self._block.name, self._fields)
        self._collect(missing, self._start_timeout)
        for row, seed in zip(rows.tolist(), seeds.tolist(), strict=True):
            self._send(row, "reset", seed)
        answers = self._collect(rows.tolist(), self._start_timeout)
        return np.array([row not in answers for row in rows.tolist()], bool)

    def step(self, rows: Array, actions: Array) -> Step:
        arrays = self._block.arrays
        arrays["actions"][rows] = actions
        for row in rows.tolist():
            self._send(row, "step")
        answers = self._collect(rows.tolist(), self._step_timeout)
        lost = np.array([row not in answers for row in rows.tolist()], bool)
        return Step(
            reward=arrays["reward"][rows],
            ended=arrays["ended"][rows] & ~lost,
            terminated=arrays["terminated"][rows] & ~lost,
            lost=lost,
            infos=[answers.get(row) or {} for row in rows.tolist()],
        )

    def save_replay(self) -> list[str | None]:
        rows = range(self.n_envs)
        for row in rows:
            self._send(row, "save_replay")
        answers = self._collect(rows, self._start_timeout)
        for row in rows:
            if row not in answers:
                raise UserError(f"A replay was not saved: {tail(self.last_failure[row])}")
        return [answers[row] for row in rows]

    def render(self) -> None:
        self._send(0, "render")
        if 0 not in self._collect([0], self._step_timeout):
            raise UserError(f"Row 0 cannot be shown: {tail(self.last_failure[0])}")

    def close(self) -> None:
        for worker in self._workers:
            if worker is not None:
                worker.send("close")  # all at once, so that they leave at the same time
        deadline = time.monotonic() + CLOSE_SECONDS
        for row, worker in enumerate(self._workers):
            self._workers[row] = None
            if worker is not None:
                worker.close(deadline)
        self._guardian.close()
        if self._shared is not None:
            # The arrays stay readable in numpy copies only; nobody may read them after this.
            del self.state, self.obs, self.avail
            self._shared.close()
            self._shared = None

    @property
    def _block(self) -> SharedArrays:
        assert self._shared is not None
        return self._shared

    def _start_all(self) -> dict[str, Any]:
        rows = list(range(self.n_envs))
        for row in rows:
            self._workers[row] = self._start(row)
            self._send(row, "build")
        infos = self._collect(rows, self._start_timeout)
        if len(infos) < self.n_envs:
            row, failure = next(iter(self.last_failure.items()))
            raise UserError(f"Environment {row} did not start. {tail(failure)}")
        info, self.reseeds = infos[0]["info"], infos[0]["reseeds"]
        self._fields: Fields = fields_for(info, self.n_envs)
        self._shared = SharedArrays(self._fields)
        arrays = self._shared.arrays
        self.state, self.obs, self.avail = arrays["state"], arrays["obs"], arrays["avail"]
        for row in rows:
            self._send(row, "attach", self._shared.name, self._fields)
        self._collect(rows, self._start_timeout)
        return info

    def _start(self, row: int) -> WorkerHandle:
        return WorkerHandle(self._builders[row], self._seeds[row], row, self._guardian)

    def _send(self, row: int, *command: Any) -> None:
        worker = self._workers[row]
        if worker is not None:
            worker.send(*command)

    def _collect(self, rows: Sequence[int], timeout: float) -> dict[int, Any]:
        """Row -> answer, of those that gave one; the workers of the others are gone."""
        deadline = time.monotonic() + timeout
        answers: dict[int, Any] = {}
        for row in rows:
            worker = self._workers[row]
            if worker is None:
                continue  # lost a command ago
            try:
                answers[row] = worker.receive(deadline)
            except WorkerLost as failure:
                self.last_failure[row] = str(failure)
                worker.kill()
                self._workers[row] = None
        return answers


def tail(text: str, lines: int = 12) -> str:
    """The end of a traceback, which is where the reason stands."""
    return "\n".join(text.strip().splitlines()[-lines:])
