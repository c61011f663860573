"""COMA against its definition, computed step by step."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor

from components.episode_buffer import EpisodeBatch
from components.minibatch import valid_steps
from learners.coma_learner import counterfactual, renormalised, taken
from modules.critics import REGISTRY as CRITICS
from tests.make import A, B, N, T, double_batch, flat, make_learner, on_policy_args, step_by_step
from utils.errors import UserError

pytestmark = pytest.mark.usefixtures("double_precision")

PYMARL = {
    "learner": "coma_learner",
    "action_selector": "multinomial",
    "mask_before_softmax": False,
    "optimizer": "rmsprop",
    "td_lambda": 0.8,
    "epsilon_start": 0.5,
}


def coma(**settings: Any) -> Any:
    learner = make_learner(on_policy_args(**{**PYMARL, **settings}))
    with torch.no_grad():
        for param in learner.mac.parameters():
            param.mul_(2)
    return learner


def train(learner: Any, batch: EpisodeBatch) -> dict[str, float]:
    seen: dict[str, float] = {}
    learner.logger.log_stat = lambda key, value, t_env: seen.update({key: value})
    learner.train(batch, 0, 0)
    return seen


def policy_of(learner: Any, batch: EpisodeBatch) -> Tensor:
    """pi = (1 - eps) softmax + eps / A, zero where unavailable, renormalised. (B, T, N, A)"""
    epsilon = learner.args.epsilon_start
    logits = step_by_step(learner.policy, batch, T)
    mixed = (1 - epsilon) * torch.softmax(logits, dim=3) + epsilon / A
    possible = mixed * (batch["avail_actions"][:, :T] > 0)
    return possible / possible.sum(dim=3, keepdim=True).clamp_min(1e-30)


@pytest.mark.parametrize("critic_type", ["coma_critic", "coma_critic_ns"])
@pytest.mark.parametrize("obs_last_action", [True, False])
def test_an_update_equals_a_step_by_step_reference(critic_type: str, obs_last_action: bool) -> None:
    """Last slot first, one critic step each; the actors learn from what was said before it."""
    settings = {"critic_type": critic_type, "obs_last_action": obs_last_action}
    learner, reference = (coma(**settings) for _ in range(2))
    batch = double_batch(learner.args)
    mask = valid_steps(batch["filled"], batch["terminated"]).double()[..., 0]  # (B, T)
    actions, ends = batch["actions"], batch["terminated"][..., 0].double()
    following = taken(reference.target_critic(batch), actions).detach()  # (B, T + 1, N)
    targets = torch.zeros(B, T + 1, N)
    lengths = mask.sum(dim=1).long()
    for b, length in enumerate(lengths.tolist()):
        targets[b, length] = following[b, length] * (1 - ends[b, length - 1])
        for t in reversed(range(length)):
            bootstrap = 0.2 * following[b, t + 1] * (1 - ends[b, t]) + 0.8 * targets[b, t + 1]
            targets[b, t] = batch["reward"][b, t] + 0.99 * bootstrap
    said = [torch.zeros(())] * T
    for t in reversed(range(T)):
        q = reference.critic(batch, t)[:, 0]  # (B, N, A)
        said[t] = q.detach()
        errors = (taken(q, actions[:, t]) - targets[:, t]) * mask[:, t, None]
        reference.critic_optimiser.zero_grad()
        (errors.square().sum() / mask[:, t].sum() / N).backward()
        torch.nn.utils.clip_grad_norm_(reference.critic_params, 10)
        reference.critic_optimiser.step()
    values, policy = torch.stack(said, dim=1), policy_of(reference, batch)
    advantages = taken(values, actions[:, :T]) - (policy * values).sum(dim=3)
    probability = torch.where(mask[..., None] > 0, taken(policy, actions[:, :T]), 1.0)
    gain = advantages.detach() * probability.log() * mask[..., None]
    loss = -gain.sum() / mask.sum() / N
    expected = flat(torch.autograd.grad(loss, reference.agent_params))

    logged = train(learner, batch)

    torch.testing.assert_close(flat(learner.critic_params), flat(reference.critic_params))
    torch.testing.assert_close(flat([p.grad for p in learner.agent_params]), expected)
    assert logged["coma_loss"] == pytest.approx(float(loss.detach()))
    assert learner.critic_training_steps == T


def test_advantages_sum_to_zero_under_the_policy() -> None:
    learner = coma()
    batch = double_batch(learner.args)
    policy = policy_of(learner, batch).detach()
    values = learner.critic(batch)[:, :T].detach()
    sums = (policy * counterfactual(values, policy)).sum(dim=3)
    real = valid_steps(batch["filled"], batch["terminated"]) > 0

    assert float((sums * real).abs().max()) < 1e-12
    assert float(values.abs().max()) > 1e-2


def test_the_critic_does_not_see_one_s_own_action() -> None:
    learner = coma(obs_last_action=False)
    batch = double_batch(learner.args)
    before = learner.critic(batch)
    batch["actions_onehot"][:, :, 0] = batch["actions_onehot"][:, :, 0].roll(1, dims=2)
    after = learner.critic(batch)

    assert torch.equal(before[:, :, 0], after[:, :, 0])
    assert not torch.equal(before[:, :, 1:], after[:, :, 1:])


def test_padding_has_exactly_no_gradient() -> None:
    ends = []
    for garbage in (False, True):
        learner = coma(entropy_coef=0.1)
        batch = double_batch(learner.args)
        if garbage:
            batch["obs"][1, 4:] = 1e3
            batch["state"][1, 4:] = -1e3
            batch["reward"][1, 3:] = 1e6
        learner.train(batch, 0, 0)
        ends.append(flat([*learner.agent_params, *learner.critic_params]))

    assert torch.equal(*ends)


def test_a_dead_agent_has_no_gradient() -> None:
    """With one action left, nothing of its network matters."""
    learner = coma(agent="mlp", share_parameters=False)
    batch = double_batch(learner.args)
    batch["avail_actions"][:, :, 2] = torch.tensor([1, 0, 0, 0, 0])
    actions = batch["actions"] * torch.tensor([1, 1, 0])[:, None]
    batch.update({"actions": actions}, mark_filled=False)
    learner.train(batch, 0, 0)

    first, _, dead = learner.mac.agent.agents
    assert all(float(p.grad.abs().max()) < 1e-15 for p in dead.parameters())
    assert any(float(p.grad.abs().max()) > 1e-6 for p in first.parameters())


def test_one_step_a_batch_is_epymarl_s_way() -> None:
    learner = coma(critic_step_each="batch", return_steps=5)
    batch = double_batch(learner.args)
    train(learner, batch)

    assert learner.critic_training_steps == 1


def test_what_cannot_be_drawn_has_no_probability() -> None:
    avail = torch.tensor([[1, 0, 1], [0, 0, 0]])  # the second is padding
    policy = renormalised(torch.tensor([[0.5, 0.3, 0.25], [1.0, 0, 0]]), avail)

    torch.testing.assert_close(policy[0], torch.tensor([2 / 3, 0, 1 / 3]))
    torch.testing.assert_close(policy[1], torch.full((3,), 1 / 3))


def test_a_critic_of_pymarl_s_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    class Theirs(torch.nn.Module):
        def __init__(self, scheme: Any, args: Any) -> None:
            super().__init__()

    monkeypatch.setitem(CRITICS, "theirs", Theirs)
    with pytest.raises(UserError, match="critic_type=theirs has no inputs and no values_of"):
        coma(critic_type="theirs")


def test_continuous_actions_are_refused() -> None:
    """At once, and not after other settings were put right."""
    for selector in ("soft_policies", "multinomial"):
        given = {"learner": "coma_learner", "action_selector": selector}
        with pytest.raises(UserError, match="counts actions"):
            make_learner(on_policy_args(continuous=True, **given))
