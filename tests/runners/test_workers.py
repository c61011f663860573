"""What happens to a worker before it can take care of itself."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from envs.matrix_games import TwoStep
from envs.vector.processes import SERVER, Processes
from envs.vector.workers import WorkerVector
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
    vector = WorkerVector(Processes([Interrupted()], [1]), 60, 60)
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
    places = Processes([TwoStep], [1])
    try:
        with pytest.raises(UserError, match="smaller batch_size_run"):
            places.start(0)
    finally:
        places.close()
