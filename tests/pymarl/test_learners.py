"""Learners that do not say what they keep: what is found of them, and what is said of the rest."""

from __future__ import annotations

import logging
from collections import deque
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from learners.q_learner import QLearner
from pymarl.learners import ForeignLearner, learner_of
from pymarl.reflection import restore, snapshot
from records.checkpoint import load_state, save_state
from tests.data.dropin import PlainQLearner
from tests.make import full_scheme, make_args, make_batch, make_learner, make_mac, quiet_logger
from utils.errors import UserError


def made(seed: int) -> Any:
    torch.manual_seed(seed)
    network = nn.Linear(3, 2)
    mac = SimpleNamespace(agent=nn.Linear(2, 2))
    optimiser = torch.optim.RMSprop([*network.parameters(), *mac.agent.parameters()], lr=0.1)
    loss = network(torch.ones(4, 3)).sum() + mac.agent(torch.ones(4, 2)).sum()
    loss.backward()
    optimiser.step()
    return SimpleNamespace(
        network=network,
        mac=mac,
        optimiser=optimiser,
        updates=seed,
        mean=torch.full((2,), float(seed)),
        last=np.float32(seed),
        mixer=None,
        params=list(network.parameters()),
        logger=object(),
        args=SimpleNamespace(agent=nn.Linear(1, 1)),
    )


def flat(learner: Any) -> list[float]:
    tensors = [*learner.network.parameters(), *learner.mac.agent.parameters(), learner.mean]
    for entry in learner.optimiser.state.values():
        tensors.append(entry["square_avg"])
    return torch.cat([t.detach().reshape(-1) for t in tensors]).tolist()


def test_a_snapshot_restores_networks_optimisers_numbers_and_tensors(tmp_path: Path) -> None:
    first, second = made(1), made(2)
    save_state({"learner": snapshot(first).state}, tmp_path)

    restore(second, load_state(tmp_path)["learner"])

    assert flat(second) == flat(first)
    assert (second.updates, second.last) == (1, 1.0)


class RunningMean:
    def __init__(self, seed: int) -> None:
        self.mean, self.count = np.full(2, float(seed)), seed


def with_containers(seed: int) -> Any:
    torch.manual_seed(seed)
    return SimpleNamespace(
        critics=[nn.Linear(2, 1), nn.Linear(2, 1)],
        by_name={"a": nn.Linear(1, 1), "b": seed},
        history=deque([seed, seed + 1], maxlen=3),
        pair=(seed, torch.full((1,), float(seed))),
        array=np.arange(3) * seed,
        statistics=RunningMean(seed),
    )


def test_containers_arrays_and_plain_objects_are_kept_too(tmp_path: Path) -> None:
    first, second = with_containers(1), with_containers(2)
    held = second.critics[1].weight
    save_state({"learner": snapshot(first).state}, tmp_path)

    restore(second, load_state(tmp_path)["learner"])

    assert second.critics[1].weight is held
    assert torch.equal(held, first.critics[1].weight)
    assert torch.equal(second.by_name["a"].weight, first.by_name["a"].weight)
    assert (second.by_name["b"], second.pair[0], list(second.history)) == (1, 1, [1, 2])
    assert second.history.maxlen == 3
    assert (second.array == first.array).all()
    assert (second.statistics.mean == 1.0).all()
    assert second.statistics.count == 1


def test_restoring_keeps_the_objects_that_others_hold() -> None:
    first, second = made(1), made(2)
    held = second.network.weight

    restore(second, snapshot(first).state)

    assert held is second.network.weight
    assert torch.equal(held, first.network.weight)


def theirs(kind: type = PlainQLearner, seed: int = 0) -> Any:
    args = make_args(mixer="vdn")
    return kind(make_mac(args, seed), full_scheme(args), quiet_logger(), args)


def adapted(learner: Any) -> Any:
    return learner_of(learner, "theirs", logging.getLogger("quiet"))


def test_loose_parameters_are_kept_in_place() -> None:
    """As the temperature of soft actor-critic: no network holds it, and an optimiser steps it."""

    def make(start: float) -> Any:
        temperature = nn.Parameter(torch.tensor(start))
        leaf = torch.tensor(start, requires_grad=True)
        return SimpleNamespace(
            log_alpha=temperature, leaf=leaf, sgd=torch.optim.SGD([temperature, leaf], lr=1.0)
        )

    first, second = make(1.0), make(2.0)
    held = second.log_alpha, second.leaf
    restore(second, snapshot(first).state)

    assert (second.log_alpha, second.leaf) == held
    assert [each.item() for each in held] == [1.0, 1.0]


class Teacher(PlainQLearner):
    """Holds what no checkpoint can keep, beside what it can."""

    def __init__(self, *given: Any) -> None:
        super().__init__(*given)
        self.random = np.random.default_rng(1)
        self.by_pair = {(0, 1): 2.5, frozenset({1}): 3}
        self.critics = [nn.Linear(1, 1), object()]
        self.loss = torch.nn.functional.mse_loss
        self.chosen = {1, 2}
        self.itself = self


def test_what_cannot_be_kept_is_named_once(caplog: pytest.LogCaptureFixture) -> None:
    made = adapted(theirs(Teacher))
    made.state_dict()
    made.state_dict()

    (warning,) = caplog.messages
    assert "learner=theirs: random, by_pair[frozenset({1})], critics[1]. A resumed" in warning


def test_what_a_learner_begins_to_hold_while_it_learns_is_named_too(
    caplog: pytest.LogCaptureFixture,
) -> None:
    learner = theirs()
    made = adapted(learner)
    made.state_dict()
    assert caplog.messages == []  # nothing of it is lost

    learner.random = np.random.default_rng(1)
    made.state_dict()
    assert "attributes of learner=theirs: random. A" in caplog.messages[0]


def test_a_learner_written_for_pymarl_goes_on_bit_for_bit(tmp_path: Path) -> None:
    batch = make_batch(make_args(mixer="vdn"))
    first, second = theirs(seed=1), theirs(seed=2)
    first.train(batch, 0, 0)
    save_state({"learner": adapted(first).state_dict()}, tmp_path)
    adapted(second).load_state_dict(load_state(tmp_path)["learner"])
    for learner in (first, second):
        learner.train(batch, 1, 1)

    for one, other in zip(first.weights, second.weights, strict=True):
        assert torch.equal(one, other)
    assert first.next_log == second.next_log


class Undeclared(QLearner):
    """Of a plugin: it adds a number to ours, and says nothing of it."""

    def __init__(self, *given: Any) -> None:
        super().__init__(*given)
        self.batches = 0

    def train(self, *given: Any) -> None:
        super().train(*given)
        self.batches += 1


class Declared(Undeclared):
    numbers = ("batches",)


class SaysItself(PlainQLearner):
    def state_dict(self) -> dict[str, Any]:
        return {"next_log": self.next_log}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.next_log = state["next_log"]


def test_subclasses_of_ours_that_declare_nothing_lose_nothing() -> None:
    first, second = theirs(Undeclared, 1), theirs(Undeclared, 2)
    first.train(make_batch(make_args(mixer="vdn")), 0, 0)
    adapted(second).load_state_dict(adapted(first).state_dict())

    assert second.batches == 1
    for one, other in zip(first.params, second.params, strict=True):
        assert torch.equal(one, other)
    second.largest_norm = torch.tensor(torch.inf)
    with pytest.raises(UserError, match="gradients"):
        adapted(second).require_sound()


def test_who_says_what_it_keeps_is_taken_at_its_word() -> None:
    for learner in (make_learner(make_args(mixer="vdn")), theirs(Declared)):
        assert adapted(learner) is learner
    assert theirs(Declared).state_dict()["batches"] == 0
    assert isinstance(adapted(theirs(Undeclared)), ForeignLearner)

    first, second = theirs(SaysItself, 1), theirs(SaysItself, 2)
    first.next_log = 7
    adapted(second).load_state_dict(adapted(first).state_dict())
    assert second.next_log == 7
    assert not torch.equal(first.weights[0], second.weights[0])


def test_a_learner_without_what_a_run_asks_is_refused() -> None:
    with pytest.raises(UserError, match=r"has no train and no save_models\."):
        adapted(SimpleNamespace(load_models=print))
