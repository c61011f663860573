"""What is said of an environment that broke."""

from __future__ import annotations

import logging
from types import SimpleNamespace
from typing import cast

import numpy as np
import pytest

from envs.batched import BatchedEnv
from policies.contract import Policy
from runners.seats import Layout, Seats
from utils.seeding import TRAIN


def test_a_foreign_error_is_one_line_without_control_characters(
    caplog: pytest.LogCaptureFixture,
) -> None:
    vector = SimpleNamespace(n_envs=1, last_failure={0: "Traceback:\nOSError: \x1b[2Jgone\x07"})
    args = SimpleNamespace(env="grid", env_restart_limit=3)
    seats = Seats(
        args,
        TRAIN,
        cast(BatchedEnv, vector),
        cast(Policy, None),
        cast(Layout, None),
        logging.getLogger("seats"),
    )

    seats._note_failures(np.array([0]))

    assert caplog.messages == [
        "Warning: environment 0 (env=grid) broke; its episode is played again. "
        r"OSError: \x1b[2Jgone\x07"
    ]
