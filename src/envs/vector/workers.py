"""A worker for each environment, watched: one that crashes, hangs or is killed is replaced.

What a worker is, (a part of) a process of this machine or an actor somewhere in a Ray cluster, is
its `Workplace`'s business.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Protocol

import numpy as np

from envs.batched import Array, BatchedEnv, Step
from envs.values import EnvInfo
from envs.vector.rows import Arrays
from envs.vector.worker_process import Answer
from records.replays import ReplayNotSavedError
from utils.errors import UserError

CLOSE_SECONDS = 5.0
MOST_OF_A_LINE = 500  # characters
NO_ANSWER = "It did not answer in time (env_step_timeout, env_start_timeout)."


class WorkerLost(Exception):
    """The worker cannot be used any more; the text says why."""


class Handle(Protocol):
    """Our end of one worker."""

    def send(self, *command: object) -> None:
        """Give it a command (a `do_...` of `worker_process.Worker`); never fails, never waits."""

    def receive(self, deadline: float) -> Answer:
        """The answer to the last command; WorkerLost if there is none in time, or a bad one."""

    def close(self, deadline: float) -> None:
        """Wait for it to leave, as it was asked to; then `kill`."""

    def kill(self) -> None:
        """End it with everything it started."""


class Workplace:
    """Where the workers of a vector live, and how observations come from there."""

    n_envs: int
    # Rows that wait for each other in a worker, so that timeouts are so many times as long.
    rows_each = 1

    def start(self, row: int) -> Handle:
        """A new worker for the environment of `row`."""
        raise NotImplementedError

    def make_arrays(self, info: EnvInfo) -> Arrays:
        """The arrays of all rows (see `rows.fields_for`), which answers keep up to date."""
        raise NotImplementedError

    def attachment(self) -> tuple[object, ...]:
        """What a worker must be told (`do_attach`) to fill its row."""
        raise NotImplementedError

    def flush(self) -> None:
        """All commands were given; they may have waited for this."""

    def close(self) -> None:
        """After the last worker has left. The arrays may not be read any more."""


class WorkerVector(BatchedEnv):
    """Rows live in workers; a worker that is lost takes its episode with it."""

    def __init__(self, workplace: Workplace, start_timeout: float, step_timeout: float) -> None:
        self._workplace = workplace
        self._start_timeout = start_timeout * workplace.rows_each
        self._step_timeout = step_timeout * workplace.rows_each
        self.n_envs = workplace.n_envs
        self.last_failure: dict[int, str] = {}
        self._workers: list[Handle | None] = [None] * self.n_envs
        self._arrays: Arrays = {}
        try:
            self._info = self._start_all()
        except BaseException:
            self.close()
            raise

    def get_env_info(self) -> EnvInfo:
        return self._info

    def reset(self, rows: Array, seeds: Array) -> Array:
        missing = [row for row in rows.tolist() if self._workers[row] is None]
        for row in missing:
            self._workers[row] = self._workplace.start(row)
            self._send(row, "build")
        self._collect(missing, self._start_timeout)
        for row in missing:
            self._send(row, "attach", *self._workplace.attachment())
        self._collect(missing, self._start_timeout)
        for row, seed in zip(rows.tolist(), seeds.tolist(), strict=True):
            self._send(row, "reset", seed)
        answers = self._collect(rows.tolist(), self._start_timeout)
        return np.array([row not in answers for row in rows.tolist()], bool)

    def step(self, rows: Array, actions: Array) -> Step:
        arrays = self._arrays
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
                raise ReplayNotSavedError(self.last_failure[row])
        return [answers[row] for row in rows]

    def render(self) -> None:
        self._send(0, "render")
        if 0 not in self._collect([0], self._step_timeout):
            raise UserError(f"Row 0 cannot be shown: {tail(self.last_failure[0])}")

    def close(self) -> None:
        for worker in self._workers:
            if worker is not None:
                worker.send("close")  # all at once, so that they leave at the same time
        self._workplace.flush()
        deadline = time.monotonic() + CLOSE_SECONDS
        for row, worker in enumerate(self._workers):
            self._workers[row] = None
            if worker is not None:
                worker.close(deadline)
        if self._arrays:
            # Copies stay readable; nobody may read the arrays themselves after this.
            del self.state, self.obs, self.avail
            self._arrays = {}
        self._workplace.close()

    def _start_all(self) -> EnvInfo:
        rows = list(range(self.n_envs))
        for row in rows:
            self._workers[row] = self._workplace.start(row)
            self._send(row, "build")
        infos = self._collect(rows, self._start_timeout)
        if len(infos) < self.n_envs:
            row, failure = next(iter(self.last_failure.items()))
            raise UserError(f"Environment {row} did not start. {tail(failure)}")
        info, self.reseeds = infos[0]["info"], infos[0]["reseeds"]
        arrays = self._arrays = self._workplace.make_arrays(info)
        self.state, self.obs, self.avail = arrays["state"], arrays["obs"], arrays["avail"]
        for row in rows:
            self._send(row, "attach", *self._workplace.attachment())
        self._collect(rows, self._start_timeout)
        return info

    def _send(self, row: int, *command: object) -> None:
        worker = self._workers[row]
        if worker is not None:
            worker.send(*command)

    def _collect(self, rows: Sequence[int], timeout: float) -> dict[int, Answer]:
        """Row -> answer, of those that gave one; the workers of the others are gone."""
        self._workplace.flush()
        deadline = time.monotonic() + timeout
        answers: dict[int, Answer] = {}
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
    kept = [line[:MOST_OF_A_LINE] for line in text.strip().splitlines()[-lines:]]
    return "\n".join(kept) or "It gave no reason."
