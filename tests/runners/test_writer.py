"""What the runner writes without checks is what `EpisodeBatch.update` writes with them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from components.episode_buffer import EpisodeBatch
from runners.writer import StepWriter
from tests.make import A, B, N, O, S, T, continuous_args, make_args
from training.build import make_scheme
from training.task import TaskSizes
from utils.errors import UserError


def empty(args: Any) -> EpisodeBatch:
    scheme, groups, preprocess = make_scheme(TaskSizes.of(args))
    return EpisodeBatch(scheme, groups, B, T + 1, preprocess=preprocess)


def step_of(rows: np.ndarray, random: np.random.Generator, continuous: bool) -> dict[str, Any]:
    n = len(rows)
    actions = random.normal(size=(n, N, A)) if continuous else random.integers(A, size=(n, N, 1))
    return {
        "state": random.normal(size=(n, S)).astype(np.float32),
        "obs": random.normal(size=(n, N, O)).astype(np.float32),
        "avail_actions": random.random((n, N, A)) < 0.5,
        "actions": actions,
        "reward": random.normal(size=(n, 1)),
        "terminated": random.random((n, 1)) < 0.5,
    }


@pytest.mark.parametrize("continuous", [False, True])
def test_the_batch_is_that_of_checked_updates(continuous: bool) -> None:
    args = continuous_args() if continuous else make_args()
    quick, plain = empty(args), empty(args)
    writer = StepWriter(quick)
    random = np.random.default_rng(0)
    for t, rows in enumerate([np.arange(B), np.arange(B), np.array([0, 2]), np.array([2])]):
        values = step_of(rows, random, continuous)
        writer.write(rows, t, values, fill=t != 1)
        plain.update(values, bs=rows, ts=t, mark_filled=t != 1)

    for key in plain.scheme:
        assert torch.equal(quick[key], plain[key]), key
    assert plain["filled"].sum() == B + 2 + 1


def test_a_field_that_does_not_fit_is_refused() -> None:
    writer = StepWriter(empty(make_args()))

    with pytest.raises(UserError, match="'state' was given with shape"):
        writer.write(np.arange(B), 0, {"state": np.zeros((B, S + 1), np.float32)})


def test_later_steps_are_not_broadcast() -> None:
    writer = StepWriter(empty(make_args()))
    rows = np.arange(B)
    writer.write(rows, 0, {"obs": np.zeros((B, N, O), np.float32)})

    with pytest.raises(UserError, match="'obs' was given with shape"):
        writer.write(rows, 1, {"obs": np.zeros((N, O), np.float32)})
