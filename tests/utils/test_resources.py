"""Sizes against a machine of known size."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from utils import resources
from utils.config import load_config
from utils.errors import UserError
from utils.resources import as_memory_allows, check_batches, check_sizes, weights_that_fit

MEMORY = 1_000_000_000


@pytest.fixture(autouse=True)
def machine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resources, "available_bytes", lambda: MEMORY)
    monkeypatch.setattr(resources, "_startable", lambda: 1000)
    monkeypatch.setattr(resources, "_stack_bytes", lambda: 1_000_000)


def settings(*words: str, algorithm: str = "qmix") -> dict[str, Any]:
    return load_config([f"--config={algorithm}", "--env-config=two_step", *words]).config


@pytest.mark.parametrize(
    ("fits", "does_not"),
    [
        ("torch_threads=1000", "torch_threads=1001"),
        ("batch_size_run=1000000", "batch_size_run=1000001"),
        ("test_batch_size_run=1000000", "test_batch_size_run=1000001"),
        ("batch_size_run=250 runner=parallel", "batch_size_run=251 runner=parallel"),
        (
            "batch_size_run=999 runner=parallel env_processes=3",
            "batch_size_run=999 runner=parallel env_processes=300",
        ),
        ("batch_size_run=999 runner=ray ray_address=a:1", "batch_size_run=999 runner=ray"),
    ],
)
def test_the_bound_is_what_the_machine_has(fits: str, does_not: str) -> None:
    check_sizes(settings(*fits.split()))

    with pytest.raises(UserError, match=does_not.split()[0]):
        check_sizes(settings(*does_not.split()))


def test_the_bound_of_rollouts_is_what_memory_holds() -> None:
    size = {"algorithm": "mappo"}
    check_sizes(settings("batch_size_run=1", "rollout_length=31250000", **size))

    with pytest.raises(UserError, match="rollout_length=31250001"):
        check_sizes(settings("batch_size_run=1", "rollout_length=31250001", **size))


def test_nothing_is_bound_where_the_system_says_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resources, "available_bytes", lambda: None)
    monkeypatch.setattr(resources, "_startable", lambda: None)

    check_sizes(settings("batch_size_run=1000000000", "torch_threads=1000000"))


def test_batches_whose_steps_are_known() -> None:
    check_batches({"batch_size": 1000}, step_bytes=1000, slots=1000)

    with pytest.raises(UserError, match="batch_size=1001"):
        check_batches({"batch_size": 1001}, step_bytes=1000, slots=1000)


def test_weights_are_counted_before_they_are_written() -> None:
    width = 10_000  # a matrix of 400 MB, of which nothing may be touched
    with weights_that_fit():
        torch.nn.Linear(10, 10)
        with pytest.raises(UserError, match="rnn_hidden_dim"):
            torch.nn.Linear(width, width)

    torch.nn.Linear(10, 10)  # outside, nobody counts


def test_environments_are_built_while_they_fit(monkeypatch: pytest.MonkeyPatch) -> None:
    built: list[int] = []
    monkeypatch.setattr(resources, "_own_bytes", lambda: 1_000_000 * len(built))

    def build(count: int) -> None:
        for number in as_memory_allows(range(count)):
            built.append(number)

    build(900)
    assert len(built) == 900
    built.clear()
    with pytest.raises(UserError, match="batch_size_run"):
        build(2000)
    assert len(built) == 64
