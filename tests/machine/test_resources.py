"""Sizes against a machine of known size."""

from __future__ import annotations

import os
from typing import Any

import pytest
import torch
import yaml

from configuration import load_config
from machine import resources
from machine.resources import (
    as_memory_allows,
    check_batches,
    check_sizes,
    usable_cores,
    weights_that_fit,
)
from utils.errors import UserError

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
        (
            "batch_size_run=999 runner=parallel env_processes=250",
            "batch_size_run=999 runner=parallel env_processes=251",
        ),
        ("batch_size_run=999 runner=parallel", "batch_size_run=999 runner=ray"),
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


@pytest.mark.parametrize(
    ("algorithm", "fits", "does_not"),
    [
        ("qmix", "batch_size=15625000", "batch_size=15625001"),
        ("qmix", "buffer_size=125000000", "buffer_size=125000001"),
        ("qmix", "rnn_hidden_dim=7905", "rnn_hidden_dim=7906"),
        (
            "qmix",
            "mixing_embed_dim=62500000 hypernet_layers=1",
            "mixing_embed_dim=62500001 hypernet_layers=1",
        ),
        (
            "qmix",
            "hypernet_embed=62500 hypernet_layers=2 mixing_embed_dim=1000",
            "hypernet_embed=62501 hypernet_layers=2 mixing_embed_dim=1000",
        ),
        ("mappo", "critic_hidden_dim=7905", "critic_hidden_dim=7906"),
        ("iql", "mixing_embed_dim=1000000000", "rnn_hidden_dim=1000000000"),
        ("iql", "critic_hidden_dim=1000000000", "buffer_size=100000000000000000"),
        ("mappo", "batch_size=1000000000", "rnn_hidden_dim=1000000000"),  # rounds: no samples
    ],
)
def test_what_learning_takes_is_bound_before_there_is_an_environment(
    algorithm: str, fits: str, does_not: str
) -> None:
    def asked(words: str) -> dict[str, Any]:
        small = {"batch_size": 32, "buffer_size": 125_000_000}
        given = dict(yaml.safe_load(word.replace("=", ": ")).popitem() for word in words.split())
        rounds = {"rollout_length": 8} if algorithm == "mappo" else {}
        return {**settings(algorithm=algorithm), "batch_size_run": 1, **small, **rounds, **given}

    check_sizes(asked(fits))

    with pytest.raises(UserError, match=does_not.split()[0]):
        check_sizes(asked(does_not))


def test_runs_that_do_not_learn_are_not_asked_for_samples() -> None:
    check_sizes({**settings(), "evaluate": True, "buffer_size": 10**17, "batch_size": 10**9})


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
        for number in as_memory_allows(range(count), count):
            built.append(number)

    build(900)
    assert len(built) == 900
    built.clear()
    with pytest.raises(UserError, match="batch_size_run"):
        build(2000)
    assert len(built) == 64


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="Linux knows of this")
def test_only_the_cores_of_this_process_are_used() -> None:
    mine = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {min(mine)})
    try:
        assert usable_cores() == 1
    finally:
        os.sched_setaffinity(0, mine)
