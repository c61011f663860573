"""The policy of independent agents: one function, however its slots are gone through."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor

from components.minibatch import Minibatch
from policies.independent import IndependentPolicy, Observed
from tests.make import (
    A,
    B,
    N,
    O,
    T,
    all_at_once,
    continuous_args,
    full_scheme,
    make_args,
    make_batch,
    on_policy_args,
    step_by_step,
)

KINDS = [("rnn", True), ("rnn", False), ("mlp", True), ("mlp", False)]


def policy_of(args: Any, seed: int = 0) -> IndependentPolicy:
    torch.manual_seed(seed)
    return IndependentPolicy(full_scheme(args), {"agents": args.n_agents}, args)


@pytest.mark.parametrize(("agent", "share"), KINDS)
def test_whole_episodes_at_once_equal_stepping_through_them(agent: str, share: bool) -> None:
    args = make_args(agent=agent, share_parameters=share)
    policy, batch = policy_of(args), make_batch(args)

    outputs = all_at_once(policy, batch)

    assert outputs.shape == (B, T + 1, N, A)
    torch.testing.assert_close(outputs, step_by_step(policy, batch), atol=1e-6, rtol=1e-5)


@pytest.mark.parametrize(("agent", "share"), KINDS)
def test_both_ways_have_the_same_gradient(agent: str, share: bool) -> None:
    args = make_args(agent=agent, share_parameters=share)
    policy, batch = policy_of(args), make_batch(args)

    def gradients(outputs: Tensor) -> list[Tensor]:
        return list(torch.autograd.grad(outputs.square().sum(), list(policy.parameters())))

    whole, stepped = gradients(all_at_once(policy, batch)), gradients(step_by_step(policy, batch))
    for one, other in zip(whole, stepped, strict=True):
        torch.testing.assert_close(one, other, atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize(("agent", "share"), KINDS)
@pytest.mark.parametrize("keep_padding", [False, True])
def test_a_minibatch_is_said_as_whole_episodes_are(
    keep_padding: bool, agent: str, share: bool
) -> None:
    """At the steps and one slot later, from a pass of their own or from one for both."""
    args = make_args(agent=agent, share_parameters=share)
    policy, batch = policy_of(args), make_batch(args)
    minibatch = Minibatch(batch, keep_padding)
    views, whole = policy.views(minibatch), step_by_step(policy, batch)
    valid = minibatch.mask[..., None]
    now, next = (minibatch.steps.take(whole, first) * valid for first in (0, 1))

    close = {"atol": 1e-6, "rtol": 1e-5}
    torch.testing.assert_close(policy.outputs(views.now) * valid, now, **close)
    torch.testing.assert_close(policy.outputs(views.next) * valid, next, **close)
    for found, expected in zip(policy.both_outputs(views), (now, next), strict=True):
        torch.testing.assert_close(found * valid, expected, **close)


@pytest.mark.usefixtures("double_precision")
@pytest.mark.parametrize(("agent", "share"), KINDS)
@pytest.mark.parametrize("continuous", [False, True])
def test_actions_are_evaluated_as_they_were_drawn(
    continuous: bool, agent: str, share: bool
) -> None:
    """Acting has the same outputs and memory, slot by slot, as the way through the episode."""
    args = on_policy_args(continuous, agent=agent, share_parameters=share)
    policy, batch = policy_of(args), make_batch(args, lengths=(T,) * B)
    memory, log_probs, memories = policy.blank_memory(B), [], []
    for t in range(T):
        seen = Observed.of(batch, t)
        outputs, _ = policy.one_slot(policy.inputs_at(batch, t), memory)
        stored, memory = policy.act(seen, memory, t_env=0)
        batch.update({"actions": stored}, ts=slice(t, t + 1), mark_filled=False)
        log_probs.append(policy.head.log_prob(outputs, seen.avail, batch["actions"][:, t]))
        memories.append(memory)

    view, avail = policy.whole(batch, T), batch["avail_actions"][:, :T]
    found, _ = policy.evaluate(view, avail, batch["actions"][:, :T])

    torch.testing.assert_close(found, torch.stack(log_probs, dim=1))
    torch.testing.assert_close(policy.unroll(view)[1], torch.stack(memories, dim=1))


def test_inputs_are_observation_last_action_and_agent_id_in_this_order() -> None:
    args = make_args()
    policy, batch = policy_of(args), make_batch(args)

    first, second = policy.inputs_at(batch, 0), policy.inputs_at(batch, 1)

    assert first.shape == (B, N, O + A + N)
    assert torch.equal(second[..., :O], batch["obs"][:, 1])
    assert torch.equal(first[..., O : O + A], torch.zeros(B, N, A))
    assert torch.equal(second[..., O : O + A], batch["actions_onehot"][:, 0])
    assert torch.equal(second[..., O + A :], torch.eye(N).expand(B, N, N))


@pytest.mark.parametrize("last_action", [True, False])
@pytest.mark.parametrize("agent_id", [True, False])
def test_inputs_for_all_slots_equal_those_for_each(last_action: bool, agent_id: bool) -> None:
    args = make_args(obs_last_action=last_action, obs_agent_id=agent_id)
    policy, batch = policy_of(args), make_batch(args)
    slots = Minibatch(batch).slots

    together = policy.whole(batch, T + 1).inputs
    reached = policy.views(Minibatch(batch)).all.inputs

    assert together.shape[-1] == O + A * last_action + N * agent_id
    assert torch.equal(reached, slots.take(together))
    for t in range(T + 1):
        assert torch.equal(together[:, t], policy.inputs_at(batch, t))


def test_continuous_agents_are_told_their_last_action_itself() -> None:
    args = continuous_args()
    policy, batch = policy_of(args), make_batch(args)

    assert policy.input_size(full_scheme(args)) == O + A + N
    assert torch.equal(policy.inputs_at(batch, 1)[..., O : O + A], batch["actions"][:, 0])


def test_separate_networks_learn_only_from_their_own_agent() -> None:
    args = make_args(share_parameters=False)
    policy, batch = policy_of(args), make_batch(args)

    all_at_once(policy, batch)[:, :, 1].sum().backward()

    moved = [any(p.grad.abs().sum() > 0 for p in net.parameters() if p.grad is not None)
             for net in policy.agent.agents]  # fmt: skip
    assert moved == [False, True, False]


def test_separate_networks_with_equal_weights_equal_a_shared_one() -> None:
    shared, separate = policy_of(make_args()), policy_of(make_args(share_parameters=False))
    for network in separate.agent.agents:
        network.load_state_dict(shared.agent.state_dict())
    batch = make_batch(make_args())

    torch.testing.assert_close(all_at_once(separate, batch), all_at_once(shared, batch))


def test_a_policy_for_tests_shares_the_networks_and_not_what_exploration_remembers() -> None:
    args = make_args(epsilon_start=1.0, epsilon_finish=0.0, epsilon_anneal_time=100)
    policy, batch = policy_of(args), make_batch(args)
    testing = policy.for_tests()
    testing.act(Observed.of(batch, 0), testing.blank_memory(B), t_env=50)

    assert testing.agent is policy.agent
    assert (policy.epsilon, testing.epsilon) == (1.0, 0.5)


def test_draws_with_the_same_noise_are_the_same() -> None:
    args = on_policy_args(action_selector="gumbel")
    policy, batch = policy_of(args), make_batch(args)
    minibatch = Minibatch(batch)
    view, avail = policy.views(minibatch).now, minibatch.now.avail
    drawn, noise, outputs = policy.draw(view, avail)
    again = policy.draw(view, avail, noise).actions
    other = policy.draw(view, avail).actions
    soft = policy.draw(view, avail, noise, hard=False).actions

    assert torch.equal(outputs, policy.outputs(view))
    assert torch.equal(again, drawn)
    assert not torch.equal(other, drawn)
    assert torch.equal(soft.argmax(dim=-1), drawn.argmax(dim=-1))
    assert ((soft > 0) & (soft < 1)).any()
    assert torch.equal(policy.greedy(view, avail), policy.head.mode(policy.outputs(view), avail))
