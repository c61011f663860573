"""Environments in workers, watched: a worker that crashes, hangs or is killed is replaced.

What a worker is, a process of this machine that plays some rows or an actor somewhere in a Ray
cluster that plays one, is its `Workplace`'s business.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence
from typing import Protocol

import numpy as np

from envs.batched import Array, BatchedEnv, Step
from envs.values import EnvInfo
from envs.vector.rows import Arrays
from envs.vector.worker_process import Answer, Reply
from records.replays import ReplayNotSavedError
from utils.errors import UserError

CLOSE_SECONDS = 5.0
MOST_OF_A_LINE = 500  # characters
NO_ANSWER = "It did not answer in time (env_step_timeout, env_start_timeout)."
ENDED_WITH_ANOTHER = (
    "Its process was ended, because another environment in it broke (env_processes)."
)


Command = tuple[object, ...]  # its name, and details


class WorkerLost(Exception):
    """The worker cannot be used any more; the text says why."""


class Handle(Protocol):
    """Our end of one worker. What tells it something never fails and never waits."""

    rows: Sequence[int]  # that it can play

    def send(self, row: int, *command: object) -> None:
        """Note a command (a `do_...` of `worker_process.Worker`) for one of its rows."""

    def flush(self) -> None:
        """Tell it what is noted."""

    def step(self, rows: Sequence[int]) -> None:
        """Tell it to step these of its rows."""

    def receive(self, deadline: float) -> Mapping[int, Reply]:
        """What its rows have to say to what it was told; WorkerLost if nothing comes in time."""

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
        """A worker for the environment of `row`: a new one, or one that lives and can play it."""
        raise NotImplementedError

    def make_arrays(self, info: EnvInfo) -> Arrays:
        """The arrays of all rows (see `rows.fields_for`), which answers keep up to date."""
        raise NotImplementedError

    def attachment(self) -> tuple[object, ...]:
        """What a worker must be told (`do_attach`) to fill its row."""
        raise NotImplementedError

    def close(self) -> None:
        """After the last worker has left. The arrays may not be read any more."""


class WorkerVector(BatchedEnv):
    """Rows live in workers; a worker that is lost takes its episodes with it."""

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
        wanted = rows.tolist()
        missing = [row for row in wanted if self._workers[row] is None]
        for row in missing:
            self._workers[row] = self._workplace.start(row)
        self._ask({row: ("build",) for row in missing}, self._start_timeout)
        self._ask({row: self._attach() for row in missing}, self._start_timeout)
        seeded = {row: ("reset", s) for row, s in zip(wanted, seeds.tolist(), strict=True)}
        self._ask(seeded, self._start_timeout)
        return self._lost(wanted)

    def step(self, rows: Array, actions: Array) -> Step:
        arrays, wanted = self._arrays, rows.tolist()
        at = slice(None) if len(wanted) == self.n_envs else rows  # a third of the work
        arrays["actions"][at] = actions
        told: dict[Handle, list[int]] = {}
        for row in wanted:
            worker = self._workers[row]
            if worker is not None:
                told.setdefault(worker, []).append(row)
        for worker, its_rows in told.items():
            worker.step(its_rows)
        answers = self._collect(told, self._step_timeout)
        lost = self._lost(wanted)
        return Step(
            reward=arrays["reward"][at].copy(),
            ended=arrays["ended"][at] & ~lost,
            terminated=arrays["terminated"][at] & ~lost,
            lost=lost,
            infos=[answers.get(row) or {} for row in wanted],
        )

    def save_replay(self) -> list[str | None]:
        rows = range(self.n_envs)
        answers = self._ask({row: ("save_replay",) for row in rows}, self._start_timeout)
        for row in rows:
            if row not in answers:
                raise ReplayNotSavedError(self.last_failure[row])
        return [answers[row] for row in rows]

    def render(self) -> None:
        if 0 not in self._ask({0: ("render",)}, self._step_timeout):
            raise UserError(f"Row 0 cannot be shown: {tail(self.last_failure[0])}")

    def close(self) -> None:
        told = self._tell({row: ("close",) for row in range(self.n_envs)})
        self._workers = [None] * self.n_envs
        deadline = time.monotonic() + CLOSE_SECONDS
        for worker in told:
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
        infos = self._ask({row: ("build",) for row in rows}, self._start_timeout)
        if len(infos) < self.n_envs:
            row, failure = next(iter(self.last_failure.items()))
            raise UserError(f"Environment {row} did not start. {tail(failure)}")
        info, self.reseeds = infos[0]["info"], infos[0]["reseeds"]
        arrays = self._arrays = self._workplace.make_arrays(info)
        self.state, self.obs, self.avail = arrays["state"], arrays["obs"], arrays["avail"]
        self._ask({row: self._attach() for row in rows}, self._start_timeout)
        return info

    def _attach(self) -> Command:
        return "attach", *self._workplace.attachment()

    def _ask(self, commands: Mapping[int, Command], timeout: float) -> dict[int, Answer]:
        """Row -> answer, of those that gave one; the workers of the others are gone."""
        return self._collect(self._tell(commands), timeout)

    def _tell(self, commands: Mapping[int, Command]) -> list[Handle]:
        """All at once, so that they work at the same time; rows without a worker are left out."""
        told: dict[Handle, None] = {}
        for row, command in commands.items():
            worker = self._workers[row]
            if worker is not None:
                worker.send(row, *command)
                told[worker] = None
        for worker in told:
            worker.flush()
        return list(told)

    def _collect(self, workers: Iterable[Handle], timeout: float) -> dict[int, Answer]:
        """Row -> answer, of those that gave one; workers that gave none, or a bad one, are gone."""
        deadline = time.monotonic() + timeout
        answers: dict[int, Answer] = {}
        for worker in workers:
            try:
                replies = worker.receive(deadline)
            except WorkerLost as failure:
                self._lose(worker, dict.fromkeys(worker.rows, str(failure)))
                continue
            failures = {row: said for row, (how, said) in replies.items() if how == "failed"}
            if failures:
                self._lose(worker, failures)
            answers.update((row, said) for row, (how, said) in replies.items() if how == "done")
        return answers

    def _lose(self, worker: Handle, failures: Mapping[int, str]) -> None:
        """With all that it plays."""
        worker.kill()
        playing = [row for row in worker.rows if self._workers[row] is worker]
        self.last_failure |= failures
        self.last_failure |= {row: ENDED_WITH_ANOTHER for row in playing if row not in failures}
        for row in playing:
            self._workers[row] = None

    def _lost(self, rows: Sequence[int]) -> Array:
        """(n,) bool: which of `rows` have no worker any more."""
        return np.array([self._workers[row] is None for row in rows], bool)


def tail(text: str, lines: int = 12) -> str:
    """The end of a traceback, which is where the reason stands."""
    kept = [line[:MOST_OF_A_LINE] for line in text.strip().splitlines()[-lines:]]
    return "\n".join(kept) or "It gave no reason."
