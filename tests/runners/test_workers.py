"""Workers that are started, shared, killed and stopped from outside."""

from __future__ import annotations

import os
import select
import signal
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import pytest

from envs import build
from envs.build import n_processes
from envs.matrix_games import TwoStep
from envs.vector.processes import SERVER, Processes
from envs.vector.wakeups import WakeUp
from envs.vector.worker_process import Team
from envs.vector.workers import NO_ANSWER, WorkerVector
from machine import resources
from tests.data.fragile import Fragile
from utils.errors import UserError


class Interrupted:
    """Builds an environment; a worker that is told of it gets Ctrl-C at that moment."""

    def __reduce__(self) -> tuple[Callable[[], Any], tuple[()]]:
        return interrupted, ()

    def __call__(self) -> Any:
        raise NotImplementedError


def interrupted() -> Any:
    os.kill(os.getpid(), signal.SIGINT)
    return TwoStep


def test_ctrl_c_does_not_reach_workers_that_are_starting() -> None:
    vector = WorkerVector(Processes([Interrupted()], [1], 1), 60, 60)
    try:
        assert not vector.reset(np.array([0]), np.array([1])).any()
    finally:
        vector.close()


def test_a_machine_without_memory_for_another_process_is_told(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The server of forks ends when it cannot fork, so whoever asked it reads the end of a file."""

    def start(process: Any) -> None:
        raise EOFError

    monkeypatch.setattr(SERVER.Process, "start", start)
    places = Processes([TwoStep], [1], 1)
    try:
        with pytest.raises(UserError, match="smaller batch_size_run"):
            places.start(0)
    finally:
        places.close()


@pytest.mark.parametrize(
    ("number", "why"), [("SIGKILL", "killed by signal 9"), ("SIGSTOP", NO_ANSWER)]
)
def test_a_process_that_is_lost_between_steps_takes_its_rows_and_no_others(
    number: str, why: str
) -> None:
    rows, actions = np.arange(4), np.zeros((4, 2), int)
    vector = WorkerVector(Processes([partial(Fragile)] * 4, rows.tolist(), 2), 60, 2.0)
    try:
        vector.reset(rows, rows)
        assert not vector.step(rows, actions).lost.any()
        worker: Any = vector._workers[1]
        os.kill(worker.pid, getattr(signal, number))

        assert vector.step(rows, actions).lost.tolist() == [True, True, False, False]
        assert vector.step(rows, actions).lost.tolist() == [True, True, False, False]
        assert vector.state[2:, 0].tolist() == [3, 3]
        assert [why in vector.last_failure[row] for row in (0, 1)] == [True, True]
        assert not vector.reset(rows[:1], rows[:1]).any()
        assert vector.step(rows[:3], actions[:3]).lost.tolist() == [False, True, False]
    finally:
        vector.close()


def test_rows_that_are_not_asked_stay_where_they_are() -> None:
    vector = WorkerVector(Processes([partial(Fragile)] * 3, [0, 1, 2], 1), 60, 60)
    rows, actions = np.arange(3), np.zeros((3, 2), int)
    try:
        vector.reset(rows, rows)
        for asked in ([0, 2], [0, 2], [1], [0, 1, 2]):
            vector.step(rows[asked], actions[asked])
        assert vector.state[:, 0].tolist() == [3, 2, 3]
    finally:
        vector.close()


@pytest.mark.parametrize("has_eventfd", [True, False])
def test_a_wake_up_is_there_until_it_is_taken(
    monkeypatch: pytest.MonkeyPatch, has_eventfd: bool
) -> None:
    if not has_eventfd:
        monkeypatch.delattr(os, "eventfd", raising=False)
    wake_up, waiting = WakeUp(), select.poll()
    waiting.register(wake_up.fileno(), select.POLLIN)
    for _ in range(2):
        assert not waiting.poll(0)
        wake_up.send()
        assert waiting.poll(0)
        wake_up.take()
    wake_up.close()


def test_there_are_as_many_processes_as_cores_and_one_for_each_game(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(build, "usable_cores", lambda: 4)

    assert [n_processes("grid", n, None) for n in (1, 4, 32)] == [1, 4, 4]
    assert [n_processes("sc2", n, None) for n in (1, 4, 32)] == [1, 4, 32]
    assert [n_processes(name, 32, 2) for name in ("grid", "sc2")] == [2, 2]


def test_a_process_builds_no_more_environments_than_fit_with_those_of_the_others(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(resources, "available_bytes", lambda: 200_000)
    built: list[int] = []
    monkeypatch.setattr(resources, "_own_bytes", lambda: 1000 * len(built))

    def count() -> TwoStep:
        built.append(1)
        return TwoStep()

    for n_envs, fit in ((200, 100), (201, 64)):
        built.clear()
        team = Team(dict.fromkeys(range(100), count), n_envs)
        answers = team.obey([(row, "build") for row in range(100)])

        assert len(built) == fit
        assert [row for row, (how, _) in answers.items() if how == "failed"] == [64][: 100 - fit]
    assert "batch_size_run=201" in answers[64][1]
