"""Agents that hear others: what is learned from is what was drawn, whoever hears whom."""

from __future__ import annotations

import itertools
from collections import Counter
from typing import Any

import pytest
import torch
from torch import Tensor

from components.episode_buffer import EpisodeBatch
from components.minibatch import Minibatch
from components.orders import turns
from policies.graph import GraphPolicy
from policies.hearing import HearingPolicy
from policies.independent import Observed
from policies.ordered import OrderedPolicy as Ordered
from tests.data.ordered import OrderedPolicy
from tests.make import (
    A,
    B,
    N,
    T,
    double_batch,
    full_scheme,
    make_batch,
    on_policy_args,
    step_by_step,
)

pytestmark = pytest.mark.usefixtures("double_precision")

KINDS = list(itertools.product(["rnn", "mlp"], [True, False], [False, True]))


def hearing(listens: Tensor) -> type[HearingPolicy]:
    class Hears(HearingPolicy):
        def who_hears_whom(self) -> Tensor:
            return listens

    return Hears


def policy_of(kind: type[Any], args: Any, seed: int = 0) -> Any:
    torch.manual_seed(seed)
    return kind(full_scheme(args), {"agents": args.n_agents}, args)


def graph(seed: int, n_agents: int = N) -> Tensor:
    """Some of the edges of a random order. (N, N)"""
    random = torch.Generator().manual_seed(seed)
    order = torch.randperm(n_agents, generator=random)
    edges = torch.rand(n_agents, n_agents, generator=random) < 0.6
    return edges.tril(-1)[order][:, order]


GRAPHS = {
    "full": torch.ones(N, N).tril(-1),
    "reverse": torch.ones(N, N).triu(1),
    "nobody": torch.zeros(N, N),
    **{f"random {seed}": graph(seed) for seed in range(3)},
}


@torch.no_grad()
def play(policy: Any, batch: EpisodeBatch) -> Tensor:
    """Acts through the batch, whose actions become the policy's; the memory afterwards."""
    memory, memories = policy.blank_memory(batch.batch_size), []
    for t in range(T):
        stored, memory = policy.act(Observed.of(batch, t), memory, t_env=0)
        batch.update({"actions": stored}, ts=slice(t, t + 1), mark_filled=False)
        memories.append(memory)
    return torch.stack(memories, dim=1)


def outputs_of_turns(policy: Any) -> list[Tensor]:
    """Will hold the outputs by which agents choose, turn by turn."""
    noted: list[Tensor] = []
    choose = policy.selector.choose

    def spy(outputs: Tensor, *rest: Any) -> Tensor:
        noted.append(outputs)
        return choose(outputs, *rest)

    policy.selector.choose = spy
    return noted


# ---------------------------------------------------------------- drawn as evaluated


POLICIES: dict[str, type[HearingPolicy]] = {
    **{name: hearing(listens) for name, listens in GRAPHS.items()},
    "drawn": Ordered,
    "learned": GraphPolicy,
}
TOLD_BY_TWO_LAYERS = ("full", "drawn", "learned")
WAYS = [*((name, "head") for name in POLICIES), *((n, "projection") for n in TOLD_BY_TWO_LAYERS)]
DRAWN = {"mac": "ordered_mac", "agent_order": "random"}
LEARNED = {"mac": "graph_mac", "graph": "learned"}
SETTINGS = {"drawn": DRAWN, "learned": LEARNED}


@pytest.mark.parametrize(("name", "told"), WAYS)
@pytest.mark.parametrize(("agent", "share", "continuous"), KINDS)
def test_actions_are_evaluated_as_they_were_drawn(
    name: str, told: str, agent: str, share: bool, continuous: bool
) -> None:
    """Whatever is heard, by all networks, in whatever order."""
    kind = {"agent": agent, "share_parameters": share, "told_through": told}
    args = on_policy_args(continuous, **kind, **SETTINGS.get(name, {}))
    check_evaluated_as_drawn(policy_of(POLICIES[name], args), args)


def check_evaluated_as_drawn(policy: Any, args: Any) -> EpisodeBatch:
    """Log-probabilities, outputs and memory; returns the episodes."""
    batch = double_batch(args, lengths=(T,) * B)
    drawn_by = outputs_of_turns(policy)
    memories = play(policy, batch)

    view, avail, actions = (
        policy.whole(batch, T),
        *(batch[key][:, :T] for key in ("avail_actions", "actions")),
    )
    found, outputs = policy.evaluate(view, avail, actions)
    _, memory = policy.unroll(view)

    for t in range(T):
        acting = torch.stack(turns_at(policy, batch, t))  # (turns, 1 or B, N)
        by_turn, drawn_by = torch.stack(drawn_by[: len(acting)]), drawn_by[len(acting) :]
        own = (by_turn * acting.unsqueeze(-1)).sum(dim=0)  # each agent's at its turn (B, N, A)
        expected = policy.head.log_prob(own, avail[:, t], actions[:, t])
        torch.testing.assert_close(found[:, t], expected, rtol=0, atol=1e-10)
        torch.testing.assert_close(outputs[:, t], own, rtol=0, atol=1e-10)
    torch.testing.assert_close(memory, memories)
    assert not drawn_by
    return batch


def turns_at(policy: Any, batch: EpisodeBatch, t: int) -> list[Tensor]:
    """Who acted at slot t, turn by turn. (1 or B, N)"""
    if policy.turns:
        return [acting.unsqueeze(0) for acting in policy.turns]
    seen = Observed.of(batch, t)
    return turns(policy.listens(policy.inputs_of(seen), seen.noise).bool())


@pytest.mark.parametrize("told", ["head", "projection"])
def test_unequal_agents_hear_padded_actions(told: str) -> None:
    """Parts of continuous actions that an agent does not have are heard as their bound."""
    args = on_policy_args(True, share_parameters=False, told_through=told)
    args.action_low[1][2:], args.action_high[1][2:] = [0.5] * (A - 2), [0.5] * (A - 2)
    batch = check_evaluated_as_drawn(policy_of(Ordered, args), args)

    assert (batch["actions"][:, :T, 1, 2:] == 0.5).all()


@pytest.mark.parametrize(("agent", "share", "continuous"), KINDS)
def test_minibatches_are_evaluated_as_whole_episodes_are(
    agent: str, share: bool, continuous: bool
) -> None:
    args = on_policy_args(continuous, agent=agent, share_parameters=share)
    policy, batch = policy_of(OrderedPolicy, args), double_batch(args)
    minibatch = Minibatch(batch)
    views, valid = policy.views(minibatch), minibatch.mask[..., None]
    stepped = step_by_step(policy, batch)

    found = policy.outputs(views.now) * valid
    torch.testing.assert_close(found, minibatch.steps.take(stepped) * valid)
    torch.testing.assert_close(policy.both_outputs(views)[0] * valid, found)


@pytest.mark.parametrize("name", ["full", "random 1"])
def test_joint_actions_are_drawn_with_the_probabilities_they_are_evaluated_with(name: str) -> None:
    """These are a distribution over joint actions: nobody hears what is not yet chosen."""
    args = on_policy_args(n_actions=2, epsilon_start=0.0)
    policy = policy_of(hearing(GRAPHS[name]), args)
    with torch.no_grad():
        for param in policy.parameters():
            param.mul_(6)  # what is heard matters
    joint = torch.cartesian_prod(*[torch.arange(2)] * N).unsqueeze(-1)  # (2^N, N, 1)
    batch = make_batch(args, lengths=(1,) * len(joint), slots=2)
    batch["obs"][:] = batch["obs"][:1]
    batch["avail_actions"][:] = 1
    batch.update({"actions": joint.unsqueeze(1)}, ts=slice(0, 1), mark_filled=False)
    log_probs, _ = policy.evaluate(
        policy.whole(batch, 1), batch["avail_actions"][:, :1], batch["actions"][:, :1]
    )
    expected = log_probs.sum(dim=2).exp().squeeze(1).detach()  # (2^N,)
    seen, memory = Observed.of(batch, 0), policy.blank_memory(len(joint))
    with torch.no_grad():
        drawn = torch.cat([policy.act(seen, memory, t_env=0)[0] for _ in range(1500)])
    shares = (drawn == joint.unsqueeze(1)).all(dim=2).all(dim=2).double().mean(dim=1)

    torch.testing.assert_close(expected.sum(), torch.ones(()))
    torch.testing.assert_close(shares, expected, atol=0.02, rtol=0)


def test_tests_take_the_likeliest_action_given_those_before() -> None:
    args = on_policy_args(test_greedy=True)
    policy, batch = policy_of(OrderedPolicy, args), make_batch(args, lengths=(T,) * B)
    stored, _ = policy.act(Observed.of(batch, 0), policy.blank_memory(B), 0, testing=True)
    batch.update({"actions": stored}, ts=slice(0, 1), mark_filled=False)
    avail = batch["avail_actions"][:, :1]
    likeliest = policy.head.stored(policy.greedy(policy.whole(batch, 1), avail))

    assert torch.equal(stored, likeliest[:, 0])


def test_only_the_chosen_episodes_act() -> None:
    args = on_policy_args()
    policy, batch = policy_of(OrderedPolicy, args), make_batch(args, lengths=(T,) * B)
    stored, memory = policy.act(Observed.of(batch, 0), policy.blank_memory(B), 0, rows=[0, 3])

    assert stored.shape == (2, N, 1)
    assert memory.shape[:2] == (B, N)
    assert batch["avail_actions"][[0, 3], 0].gather(2, stored).all()


PASSES = {"nobody": 1, "full": N, "reverse": N, "drawn": N}


@pytest.mark.parametrize("share", [True, False])
@pytest.mark.parametrize("name", PASSES)
def test_a_slot_takes_one_pass_through_memory_and_one_turn_for_each_in_the_longest_chain(
    name: str, share: bool
) -> None:
    kind = {"agent": "rnn", "share_parameters": share, "told_through": "projection"}
    args = on_policy_args(**kind, **SETTINGS.get(name, {}))
    policy, batch = policy_of(POLICIES[name], args), double_batch(args)
    networks = [policy.agent.base] if share else policy.agent.base.agents
    counts: Counter[str] = Counter()
    for parts, what in ((networks, "encoded"), (policy.agent.tellers, "decoded")):
        for part in parts:
            part.register_forward_hook(lambda *_, what=what: counts.update([what]))
    drawn_by = outputs_of_turns(policy)
    policy.act(Observed.of(batch, 0), policy.blank_memory(B), t_env=0)

    assert counts == {"encoded": len(networks), "decoded": PASSES[name] * len(networks)}
    assert len(drawn_by) == PASSES[name]


# ---------------------------------------------------------------- who hears whom


@pytest.mark.parametrize("told", ["head", "projection"])
@pytest.mark.parametrize("share", [True, False])
@pytest.mark.parametrize("name", GRAPHS)
def test_agents_hear_those_they_hear_and_nobody_else(name: str, share: bool, told: str) -> None:
    """Their outputs change, and the others' stay to the last bit."""
    kind = {"agent": "mlp", "share_parameters": share, "told_through": told}
    args = on_policy_args(**kind, obs_last_action=False)
    policy, batch = policy_of(hearing(GRAPHS[name]), args), make_batch(args)
    for heard in range(N):
        other = make_batch(args)
        changed = other["actions_onehot"][:, :, heard].roll(1, dims=-1)
        before = step_by_step(policy, batch)
        other["actions_onehot"][:, :, heard] = changed
        differs = (step_by_step(policy, other) != before).flatten(3).any(dim=3)  # (B, slots, N)
        assert differs[:, 0].all(dim=0).tolist() == GRAPHS[name][:, heard].bool().tolist()
        assert differs[:, 0].any(dim=0).tolist() == GRAPHS[name][:, heard].bool().tolist()
