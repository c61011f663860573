"""Agents and their guide: who acts when, what is learned from, and whose memory is whose."""

from __future__ import annotations

import itertools
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import Tensor

from components.episode_buffer import EpisodeBatch
from configuration import load_config
from policies.contract import Observed
from policies.guided import GuidedPolicy
from policies.independent import IndependentPolicy
from tests.make import B, N, T, all_at_once, double_batch, full_scheme, on_policy_args, step_by_step
from utils.errors import UserError

pytestmark = pytest.mark.usefixtures("double_precision")

KINDS = list(itertools.product(["mat", "sable"], ["rnn", "mlp"], [False, True]))
SMALL = {"rnn_hidden_dim": 8, "guide_hidden_dim": 4, "n_heads": 2}


def guided_args(guide: str, agent: str, continuous: bool, **changes: Any) -> SimpleNamespace:
    parts = {"mac": "guided_mac", "guide_agent": guide, "agent": agent}
    return on_policy_args(continuous, learner="magpo_learner", **parts, **SMALL, **changes)


def guided(args: SimpleNamespace) -> GuidedPolicy:
    torch.manual_seed(0)
    policy = GuidedPolicy(full_scheme(args), {"agents": args.n_agents}, args)
    shake(policy)
    return policy


@torch.no_grad()
def shake(policy: GuidedPolicy) -> None:
    """Weights as large as learning may make them."""
    for param in itertools.chain(policy.parameters(), policy.guide.parameters()):
        param.add_(0.3 * torch.randn_like(param))


def agents_alone(policy: GuidedPolicy) -> IndependentPolicy:
    """The same networks, whom nobody guides."""
    args = SimpleNamespace(**{**vars(policy.args), "mac": "basic_mac"})
    alone = IndependentPolicy(full_scheme(args), {"agents": args.n_agents}, args)
    alone.agent.load_state_dict(policy.agent.state_dict())
    return alone


@torch.no_grad()
def play(policy: Any, batch: EpisodeBatch, testing: bool = False) -> tuple[Tensor, Tensor]:
    """Acts through the batch, whose actions become the policy's: those, and memory after each."""
    torch.manual_seed(7)
    memory, actions, memories = policy.blank_memory(batch.batch_size), [], []
    for t in range(T):
        stored, memory = policy.act(Observed.of(batch, t), memory, 0, testing)
        batch.update({"actions": stored}, ts=slice(t, t + 1), mark_filled=False)
        actions.append(stored)
        memories.append(memory)
    return torch.stack(actions, dim=1), torch.stack(memories, dim=1)


@pytest.mark.parametrize(("guide", "agent", "continuous"), KINDS)
def test_the_guide_acts_while_agents_learn_and_both_remember(
    guide: str, agent: str, continuous: bool
) -> None:
    policy = guided(guided_args(guide, agent, continuous))
    batch, other = double_batch(policy.args), double_batch(policy.args)
    actions, memories = play(policy, batch)
    of_guide, guides = play(policy.guide, other)

    assert torch.equal(actions, of_guide)
    torch.testing.assert_close(policy.apart(memories)[1], guides)
    alone = agents_alone(policy)
    torch.testing.assert_close(policy.apart(memories)[0], alone.unroll(alone.whole(batch, T))[1])
    torch.testing.assert_close(policy.unroll(policy.whole(batch, T))[1], memories)


@pytest.mark.parametrize(("guide", "agent", "continuous"), KINDS)
def test_what_is_learned_from_is_the_guide_s(guide: str, agent: str, continuous: bool) -> None:
    policy = guided(guided_args(guide, agent, continuous))
    batch = double_batch(policy.args)
    avail, actions = (batch[key][:, :T] for key in ("avail_actions", "actions"))
    view, own = policy.whole(batch, T), policy.guide.whole(batch, T)
    found, both = policy.evaluate(view, avail, actions), policy.evaluate_both(view, avail, actions)

    expected = policy.guide.evaluate_and_judge(own, avail, actions)
    torch.testing.assert_close(found, expected[:2])
    torch.testing.assert_close(both.guide, expected)
    torch.testing.assert_close(policy.judge(batch), policy.guide.judge(batch))
    torch.testing.assert_close(step_by_step(policy, batch, T), all_at_once(policy, batch, T))
    alone = agents_alone(policy)
    of_agents = alone.evaluate(alone.whole(batch, T), avail, actions)
    torch.testing.assert_close((both.log_probs, both.outputs), of_agents)


@pytest.mark.parametrize(("guide", "agent", "continuous"), KINDS)
def test_agents_are_tested_without_the_guide(guide: str, agent: str, continuous: bool) -> None:
    """By their own memory, bit for bit as if there had never been a guide."""
    policy = guided(guided_args(guide, agent, continuous, test_greedy=False))
    alone, batch = agents_alone(policy), double_batch(policy.args)
    expected, memories = play(alone, double_batch(policy.args), testing=True)
    tested = policy.for_tests()
    with torch.no_grad():
        for param in policy.guide.parameters():
            param.fill_(torch.nan)

    actions, found = play(tested, batch, testing=True)
    assert torch.equal(actions, expected)
    assert torch.equal(policy.apart(found)[0], memories)
    assert tested.agent is policy.agent


def test_only_the_chosen_episodes_act() -> None:
    policy = guided(guided_args("mat", "rnn", False))
    seen = Observed.of(double_batch(policy.args, lengths=(T,) * B), 0)
    for testing in (False, True):
        with torch.no_grad():
            stored, memory = policy.act(seen, policy.blank_memory(B), 0, testing, rows=[0, 3])
        assert (stored.shape, memory.shape[:2]) == ((2, N, 1), (B, N))


def test_each_agent_may_have_its_own_network() -> None:
    policy = guided(guided_args("mat", "rnn", False, share_parameters=False))
    batch = double_batch(policy.args)
    _, memories = play(policy, batch)

    torch.testing.assert_close(policy.unroll(policy.whole(batch, T))[1], memories)


# ---------------------------------------------------------------- what is refused


@pytest.mark.parametrize(
    ("config", "words", "said"),
    [
        ("mappo", ["mac=guided_mac"], "trains one. Type learner=magpo_learner, or mac=basic_mac"),
        ("mat", ["mac=guided_mac", "agent=rnn"], "learner=team_learner trains one"),
        ("qmix", ["mac=guided_mac"], "learner=q_learner trains one"),
        ("magpo", ["mac=basic_mac"], "has no guide. Type mac=guided_mac"),
        ("magpo", ["guide_agent=cmat"], "guide_agent=cmat hears no actions"),
        ("magpo", ["guide_agent=rnn"], "guide_agent=rnn hears no actions"),
        ("magpo", ["guide_mac=ordered_mac"], "guide_mac=ordered_mac .* no network that judges"),
        ("magpo", ["guide_mac=guided_mac"], "guide_mac=guided_mac .* no network that judges"),
        ("magpo", ["n_heads=3"], "does not divide guide_hidden_dim=64.* Type guide_hidden_dim=66"),
        ("magpo", ["agent=mat"], "mac=guided_mac gives each agent its own"),
        ("magpo", ["guide_bound=0.9"], "guide_bound"),
        ("magpo", ["guide_rl=-1"], "guide_rl"),
    ],
)
def test_what_does_not_fit_is_refused(config: str, words: list[str], said: str) -> None:
    with pytest.raises(UserError, match=said):
        load_config([f"--config={config}", "--env-config=two_step", "with", *words])


def test_what_a_guide_uses_is_not_named_in_vain() -> None:
    def warnings(config: str, *words: str) -> list[str]:
        return load_config([f"--config={config}", "--env-config=two_step", "with", *words]).warnings

    assert warnings("magpo", "n_blocks=2", "guide_bound=2.0", "guide_hidden_dim=8") == []
    assert warnings("magpo", "guide_agent=sable", "retention_decay=0.5") == []
    (said,) = warnings("magpo", "retention_decay=0.5")
    assert "agent=rnn does not use retention_decay." in said
    (said,) = warnings("mappo", "guide_agent=sable")
    assert "mac=basic_mac does not use guide_agent." in said
