"""COMIX and COVDN: the search finds the best action, and the learner uses what it finds."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor

from components.cem import search
from components.minibatch import Minibatch
from learners import q_learner
from tests.make import (
    A,
    B,
    N,
    all_at_once,
    continuous_args,
    make_batch,
    make_learner,
    make_mac,
    step_by_step,
)
from utils.errors import UserError


@pytest.mark.parametrize(("width", "error"), [(1, 0.0016), (2, 0.036), (3, 0.122)])
def test_the_search_comes_as_near_as_two_rounds_can(width: int, error: float) -> None:
    """Mean squared error to random optima in [-0.9, 0.9]^width, within a third of what is known."""
    torch.manual_seed(0)
    best = torch.rand(4000, width) * 1.8 - 0.9
    found = search(lambda raw: -(raw.tanh() - best).square().sum(dim=-1), torch.zeros_like(best))

    mean_error = float((found.tanh() - best).square().sum(dim=1).mean())
    assert mean_error < error * 1.34


def test_more_rounds_come_nearer() -> None:
    torch.manual_seed(0)
    best = torch.rand(1000, 2) * 1.8 - 0.9

    def error(rounds: int) -> float:
        found = search(
            lambda raw: -(raw.tanh() - best).square().sum(dim=-1),
            torch.zeros_like(best),
            64,
            rounds,
        )
        return float((found.tanh() - best).square().sum(dim=1).mean())

    assert error(8) < error(2) / 3


def cq_args(**changes: Any) -> Any:
    settings = {"learner": "cq_learner", "mac": "cem_mac", "agent": "cemrnn", "mixer": "qmix"}
    return continuous_args(**{**settings, **changes})


@pytest.mark.parametrize("agent", ["cem", "cemrnn"])
@pytest.mark.parametrize("share", [True, False])
def test_judging_many_actions_equals_judging_each(agent: str, share: bool) -> None:
    policy = make_mac(cq_args(agent=agent, share_parameters=share)).policy
    features, actions = torch.randn(B, N, 64), torch.randn(5, B, N, A)
    together = policy.values(features, actions)

    assert together.shape == (5, B, N)
    for sample in range(5):
        torch.testing.assert_close(policy.values(features, actions[sample]), together[sample])


def test_memory_does_not_depend_on_the_way_it_was_unrolled() -> None:
    args = cq_args()
    policy, batch = make_mac(args).policy, make_batch(args)
    steps = step_by_step(policy, batch)

    torch.testing.assert_close(all_at_once(policy, batch), steps, rtol=1e-5, atol=1e-6)


def test_targets_are_the_values_of_the_best_action_found(monkeypatch: pytest.MonkeyPatch) -> None:
    learner = make_learner(cq_args(mixer="vdn"))
    batch, policy, found = make_batch(learner.args), learner.target_policy, []
    with torch.no_grad():
        features = all_at_once(policy, batch)[:, 1:]
    fixed = torch.full((B, batch.max_seq_length - 1, N, A), 0.3)
    monkeypatch.setattr(
        policy, "search", lambda features: torch.full((*features.shape[:3], A), 0.3)
    )
    values = policy.values(features, policy.head.mode(fixed, fixed))
    going_on = 1 - batch["terminated"][:, :-1].float()
    following = values.sum(dim=2, keepdim=True)
    expected = batch["reward"][:, :-1] + learner.args.gamma * going_on * following
    td_targets = q_learner.td_targets

    def spy(*given: Any) -> Tensor:
        found.append(td_targets(*given))
        return found[-1]

    monkeypatch.setattr(q_learner, "td_targets", spy)
    learner.train(batch, t_env=0, episode_num=0)

    torch.testing.assert_close(found, [Minibatch(batch).steps.take(expected).detach()])


@pytest.mark.parametrize("wrong", [{"agent": "rnn"}, {"mac": "basic_mac", "agent": "rnn"}])
def test_settings_that_do_not_fit_say_what_does(wrong: dict[str, Any]) -> None:
    with pytest.raises(UserError, match="cem_mac"):
        make_learner(cq_args(**wrong))
