"""K-HAPPO: sweeps of agents, each looking ahead."""

from __future__ import annotations

import copy
from typing import Any

import pytest
import torch
from torch import Tensor

from components.episode_buffer import EpisodeBatch
from learners.khappo_learner import SweepObjective
from learners.surrogate import clipped
from tests.learners.test_turns import (
    KINDS,
    batch_of,
    everything,
    learner_of,
    log_probs,
    mask_of,
    trained,
)
from tests.make import B, N, T, actors, double_batch, flat, rows_of

pytestmark = pytest.mark.usefixtures("double_precision")
ONCE = {"epochs": 1, "minibatches": 1}


def khappo(k_level: int, continuous: bool = False, **settings: Any) -> Any:
    return learner_of("khappo_learner", continuous, k_level=k_level, **settings)


# ---------------------------------------------------------------- what it equals


@pytest.mark.parametrize(("agent", "continuous"), KINDS)
@pytest.mark.parametrize("clip", [None, 0.1])
def test_one_level_is_happo_with_one_step_in_a_turn_bit_for_bit(
    agent: str, continuous: bool, clip: float | None
) -> None:
    """Without padding both multiply the same rows in the same order."""
    ends = []
    for name in ("happo_learner", "khappo_learner"):
        made = learner_of(name, continuous, k_level=1, agent=agent, others_clip=clip, **ONCE)
        for seed in range(4):
            made.train(double_batch(made.args, seed, lengths=(T,) * B), 0, 0)
        ends.append(everything(made))

    assert torch.equal(*ends)


@pytest.mark.parametrize("agent", ["rnn", "mlp"])
def test_the_same_with_padding(agent: str) -> None:
    ends = []
    for name in ("happo_learner", "khappo_learner"):
        made = learner_of(name, k_level=1, agent=agent, **ONCE)
        trained(made)
        ends.append(everything(made))

    torch.testing.assert_close(*ends, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("k_opt_state", ["rollback", "carry", "per_level"])
def test_one_agent_has_nobody_to_answer(k_opt_state: str) -> None:
    ends = []
    for K in (1, 3):
        learner = khappo(K, n_agents=1, k_opt_state=k_opt_state)
        trained(learner)
        ends.append(everything(learner))

    assert torch.equal(*ends)


def answer(naive: Any, batch: EpisodeBatch, i: int, others: Tensor, episodes: Any) -> Tensor:
    """Agent i's log-probs after its first step against `others`, from where `naive` is. (B, T)"""
    learner = copy.deepcopy(naive)
    args, where = learner.args, mask_of(batch)
    where = (where * learner.head.has_choice(batch["avail_actions"][:, :T]))[..., i]
    change = others - episodes.log_probs
    weight = (change.sum(dim=2) - change[..., i]).clamp(-5, 5).exp()
    actions = batch["avail_actions"][:, :T], batch["actions"][:, :T]
    own, outputs = learner.policy.evaluate(learner.policy.whole(batch, T), *actions)
    ratio = (own - episodes.log_probs)[..., i].exp()
    gain = weight * clipped(ratio, learner.advantages(episodes)[..., i], args.eps_clip)
    bonus = args.entropy_coef * learner.head.entropy(outputs, actions[0])[..., i]
    loss = -((gain + bonus) * where).sum() / where.sum()
    params = learner.own_params[i]
    learner.step(loss, learner.agent_optimiser, params)
    naive.reached[i] = flat(params)
    return log_probs(learner, batch)[..., i]


@pytest.mark.parametrize(("agent", "continuous"), KINDS)
@pytest.mark.parametrize("K", [1, 2, 3])
def test_sweeps_are_what_is_written_out(K: int, agent: str, continuous: bool) -> None:
    """Each agent steps from theta against x(k) of those before it and x(k - 1) of the others."""
    settings = {"agent": agent, "turn_order": "reverse", "lr": 0.1, **ONCE}
    learner, naive = (khappo(K, continuous, **settings) for _ in range(2))
    batch = batch_of(learner)
    episodes = naive.look_back(batch)
    naive.reached, others = [None] * N, log_probs(naive, batch)
    for _ in range(K):
        for i in reversed(range(N)):
            others[..., i] = answer(naive, batch, i, others, episodes)
    learner.train(batch, 0, 0)

    # Adam's first step is lr times the gradient's sign, smoothed by its epsilon alone.
    torch.testing.assert_close(actors(learner), torch.cat(naive.reached), rtol=1e-6, atol=1e-7)


def test_more_levels_are_really_others() -> None:
    """Else the test above would compare a thing with itself."""
    ends = []
    for K in (1, 2, 3):
        learner = khappo(K, turn_order="cyclic", lr=0.1, optimizer="rmsprop", **ONCE)
        learner.train(batch_of(learner), 0, 0)
        ends.append(actors(learner))

    assert (ends[0] - ends[1]).norm() > 1e-3
    assert (ends[1] - ends[2]).norm() > 1e-5


# ---------------------------------------------------------------- steps after the first


def test_weights_of_later_steps_are_the_others_ratios_to_the_policies_that_acted() -> None:
    learner = khappo(1, entropy_coef=0.0)
    batch = batch_of(learner)
    played = rows_of(learner, batch)
    with torch.no_grad():
        for param in learner.agent_params:
            param.add_(0.05 * torch.randn_like(param))
    objective = SweepObjective(learner, range(N), played)
    others = objective.own.detach()
    for i in range(N):
        change = others - played.log_probs
        weight = (change.sum(dim=2) - change[..., i]).exp()
        gain = weight * clipped(change[..., i].exp(), played.advantages[..., i], 0.2)
        where = played.deciding[..., i]
        expected = -(gain * where).sum() / where.sum()
        torch.testing.assert_close(objective.in_turn(i, others), expected)
        again = others.clone()
        again[..., i] += 1.0  # its own place does not matter
        assert torch.equal(objective.in_turn(i, again), objective.in_turn(i, others))


def test_who_decides_nothing_stays() -> None:
    learner = khappo(2, minibatches=2)
    batch = batch_of(learner)
    fields = batch.data.transition_data
    fields["avail_actions"][:, :, 1] = 0
    fields["avail_actions"][:, :, 1, 0] = 1
    fields["actions"][:, :, 1] = 0
    before = [flat(own) for own in learner.own_params]
    learner.train(batch, 0, 0)
    moved = [
        not torch.equal(flat(own), was) for own, was in zip(learner.own_params, before, strict=True)
    ]

    assert moved == [True, False, True]


def test_what_is_logged() -> None:
    logged = trained(khappo(3, minibatches=2))

    assert logged["k/level"] == 3
    assert logged["k/others_ratio"] > 0
    assert {"k/step_3", "k/cosine", "k/contraction", "approx_kl", "pg_loss"} <= set(logged)
