"""One network for a team: what is learned from is what was drawn, and who hears whom."""

from __future__ import annotations

import itertools
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import Tensor

from components.episode_buffer import EpisodeBatch
from components.minibatch import Minibatch
from configuration import load_config
from modules.agents import REGISTRY as AGENTS
from modules.agents.team import Decoded, Encoded, is_team_network
from policies.contract import Observed
from policies.independent import IndependentPolicy
from policies.team import TeamPolicy
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
from utils.errors import UserError

pytestmark = pytest.mark.usefixtures("double_precision")

HEARING = ["mat", "sable"]
NETWORKS = [*HEARING, "cmat"]
KINDS = list(itertools.product(NETWORKS, [False, True]))


def team_args(agent: str, continuous: bool = False, **changes: Any) -> SimpleNamespace:
    """With continuous actions, the last part of the last agent's is padding."""
    settings = {"mac": "team_mac", "agent": agent, "rnn_hidden_dim": 8, "n_heads": 2, "n_blocks": 2}
    if continuous:
        settings["action_high"] = [[2.0] * A] * (N - 1) + [[2.0] * (A - 1) + [-1.0]]
    return on_policy_args(continuous, **{**settings, **changes})


def team_of(args: SimpleNamespace, seed: int = 0) -> TeamPolicy:
    """With weights as large as learning may make them: at first, agents hardly hear each other."""
    torch.manual_seed(seed)
    policy = TeamPolicy(full_scheme(args), {"agents": args.n_agents}, args)
    with torch.no_grad():
        for param in policy.parameters():
            param.add_(0.3 * torch.randn_like(param))
    return policy


@torch.no_grad()
def play(policy: TeamPolicy, batch: EpisodeBatch) -> tuple[Tensor, Tensor]:
    """Acts through the batch, whose actions become the policy's.

    The outputs that each agent drew from (B, T, N, A'), and the memory after each slot.
    """
    passes = decoded_by(policy)
    memory, memories, drawn_by = policy.blank_memory(batch.batch_size), [], []
    for t in range(T):
        stored, memory = policy.act(Observed.of(batch, t), memory, t_env=0)
        batch.update({"actions": stored}, ts=slice(t, t + 1), mark_filled=False)
        drawn_by.append(passes[-1])
        memories.append(memory)
    return torch.stack(drawn_by, dim=1), torch.stack(memories, dim=1)


def decoded_by(policy: TeamPolicy) -> list[Tensor]:
    """Will hold the outputs of each pass that decodes actions of a slot. (B, N, A') each"""
    passes: list[Tensor] = []
    decode = policy.agent.decode

    def noting(encoded: Encoded, actions: Tensor) -> Decoded:
        decoded = decode(encoded, actions)
        passes.append(decoded.outputs[:, 0])
        return decoded

    policy.agent.decode = noting  # type: ignore[method-assign]
    return passes


@pytest.mark.parametrize(("agent", "continuous"), KINDS)
def test_actions_are_evaluated_as_they_were_drawn(agent: str, continuous: bool) -> None:
    args = team_args(agent, continuous)
    policy, batch = team_of(args), double_batch(args)
    drawn_by, memories = play(policy, batch)
    avail, actions = (batch[key][:, :T] for key in ("avail_actions", "actions"))
    view = policy.whole(batch, T)

    found, outputs = policy.evaluate(view, avail, actions)
    judged = policy.evaluate_and_judge(view, avail, actions)
    for each, expected in [
        (outputs, drawn_by),
        (found, policy.head.log_prob(drawn_by, avail, actions)),
        (policy.unroll(view)[1], memories),
        (step_by_step(policy, batch, T), outputs),
        (policy.agent.in_whole_passes(view.inputs, view.start), outputs),
        (judged.log_probs, found),
        (judged.values, policy.judge(batch)[:, :T]),
    ]:
        torch.testing.assert_close(each, expected, rtol=0, atol=1e-10)


@pytest.mark.parametrize("agent", NETWORKS)
def test_the_dead_take_their_only_action_and_others_hear_it(agent: str) -> None:
    args = team_args(agent)
    policy, batch = team_of(args), double_batch(args, lengths=(T,) * B)
    batch["avail_actions"][:, :, 1] = torch.eye(A, dtype=torch.int)[3]
    drawn_by, _ = play(policy, batch)
    avail, actions = (batch[key][:, :T] for key in ("avail_actions", "actions"))
    found, outputs = policy.evaluate(policy.whole(batch, T), avail, actions)

    assert (actions[:, :, 1] == 3).all()
    assert not found[:, :, 1].any()
    torch.testing.assert_close(outputs, drawn_by, rtol=0, atol=1e-10)


@pytest.mark.parametrize(("agent", "continuous"), KINDS)
def test_passes_end_with_what_agents_draw_one_after_the_other(agent: str, continuous: bool) -> None:
    """By the same random numbers, of which each agent's are used in its turn alone."""
    args = team_args(agent, continuous)
    policy, batch = team_of(args), double_batch(args, lengths=(T,) * B)
    memory, slot = torch.randn_like(policy.blank_memory(B)), Observed.of(batch, 0)
    torch.manual_seed(1)
    choose = policy.selector.repeatable(slot.avail, t_env=0)
    encoded = policy.agent.encode(policy.inputs_of(slot).unsqueeze(1), memory)
    actions = torch.zeros(B, 1, N, A)
    for i in range(N):
        decoded = policy.agent.decode(encoded, actions)
        actions[:, 0, i] = choose(decoded.outputs[:, 0])[:, i]  # type: ignore[misc]
    torch.manual_seed(1)
    stored, after = policy.act(slot, memory, t_env=0)

    assert torch.equal(stored, policy.head.stored(actions[:, 0]))
    torch.testing.assert_close(
        after, policy.agent.remember(encoded, decoded)[:, 0], rtol=0, atol=1e-10
    )


@pytest.mark.parametrize("agent", NETWORKS)
def test_passes_are_as_many_as_actions_need_that_are_heard(agent: str) -> None:
    """Two if nobody's changes what others draw: the second changes nothing. N at most."""
    policy, batch = team_of(team_args(agent)), double_batch(team_args(agent))
    slot, memory = Observed.of(batch, 0), policy.blank_memory(B)
    passes = decoded_by(policy)
    for _ in range(20):
        passes.clear()
        policy.act(slot, memory, t_env=0)
        assert len(passes) in (range(2, N + 1) if policy.agent.hears else [1])
    with torch.no_grad():
        for param in policy.agent.action[-1].parameters():
            param.zero_()
    passes.clear()
    policy.act(slot, memory, t_env=0)

    assert len(passes) == (2 if policy.agent.hears else 1)


def test_those_who_draw_anew_in_each_pass_act_in_turns() -> None:
    args = team_args("mat", action_selector="multinomial")
    policy, batch = team_of(args), double_batch(args, lengths=(T,) * B)
    passes, slot = decoded_by(policy), Observed.of(batch, 0)
    choose, drawn = policy.selector.choose, []

    def noting(*given: Any) -> Tensor:
        drawn.append(choose(*given))
        return drawn[-1]

    policy.selector.choose = noting  # type: ignore[method-assign]
    stored, _ = policy.act(slot, policy.blank_memory(B), t_env=0)

    assert policy.selector.repeatable(slot.avail, t_env=0) is None
    assert len(passes) == N
    assert torch.equal(stored, torch.stack([drawn[i][:, i] for i in range(N)], dim=1))


@pytest.mark.parametrize(("agent", "continuous"), KINDS)
def test_an_action_reaches_those_after_it_and_nobody_else(agent: str, continuous: bool) -> None:
    args = team_args(agent, continuous, obs_last_action=False)
    policy, batch = team_of(args), double_batch(args)
    before, values = policy.outputs(policy.whole(batch, 1)), policy.judge(batch)
    field = "actions" if continuous else "actions_onehot"
    for heard in range(N):
        other = double_batch(args)
        other[field][:, 0, heard] = other[field][:, 0, heard].roll(1, dims=-1)
        differs = (policy.outputs(policy.whole(other, 1)) != before).any(dim=3).any(dim=1)  # (B, N)

        assert differs.any(dim=0).tolist() == [policy.agent.hears and i > heard for i in range(N)]
        assert torch.equal(policy.judge(other)[:, 0], values[:, 0])


@pytest.mark.parametrize(("agent", "continuous"), KINDS)
def test_rows_do_not_touch_each_other(agent: str, continuous: bool) -> None:
    args = team_args(agent, continuous)
    policy, batch = team_of(args), double_batch(args)
    alone = double_batch(args)
    for field in alone.data.transition_data.values():
        field[1:] = 0  # as padding is

    outputs, others = policy.outputs(policy.whole(batch, T)), policy.outputs(policy.whole(alone, T))
    torch.testing.assert_close(outputs[0], others[0])
    torch.testing.assert_close(policy.judge(batch)[0], policy.judge(alone)[0])


@pytest.mark.parametrize(("agent", "continuous"), KINDS)
def test_minibatches_are_evaluated_as_whole_episodes_are(agent: str, continuous: bool) -> None:
    args = team_args(agent, continuous)
    policy, batch = team_of(args), double_batch(args)
    minibatch = Minibatch(batch)
    views, valid = policy.views(minibatch), minibatch.mask[..., None]

    found = policy.outputs(views.now) * valid
    torch.testing.assert_close(found, minibatch.steps.take(step_by_step(policy, batch)) * valid)


@pytest.mark.parametrize("agent", HEARING)
def test_joint_actions_are_drawn_with_the_probabilities_they_are_evaluated_with(agent: str) -> None:
    args = team_args(agent, n_actions=2)
    policy = team_of(args)
    joint = torch.cartesian_prod(*[torch.arange(2)] * N).unsqueeze(-1)  # (2^N, N, 1)
    batch = make_batch(args, lengths=(1,) * len(joint), slots=2)
    batch["obs"][:] = batch["obs"][:1]
    batch["avail_actions"][:] = 1
    batch.update({"actions": joint.unsqueeze(1)}, ts=slice(0, 1), mark_filled=False)
    avail, actions = (batch[key][:, :1] for key in ("avail_actions", "actions"))
    log_probs, _ = policy.evaluate(policy.whole(batch, 1), avail, actions)
    expected = log_probs.sum(dim=2).exp().squeeze(1).detach()  # (2^N,)
    seen, memory = Observed.of(batch, 0), policy.blank_memory(len(joint))
    with torch.no_grad():
        drawn = torch.cat([policy.act(seen, memory, t_env=0)[0] for _ in range(300)])
    shares = (drawn == joint.unsqueeze(1)).all(dim=2).all(dim=2).double().mean(dim=1)

    torch.testing.assert_close(expected.sum(), torch.ones(()))
    torch.testing.assert_close(shares, expected, atol=0.03, rtol=0)


@pytest.mark.parametrize("agent", NETWORKS)
def test_tests_take_the_likeliest_action_given_those_before(agent: str) -> None:
    args = team_args(agent, test_greedy=True)
    policy, batch = team_of(args), make_batch(args, lengths=(T,) * B)
    stored, _ = policy.act(Observed.of(batch, 0), policy.blank_memory(B), 0, testing=True)
    batch.update({"actions": stored}, ts=slice(0, 1), mark_filled=False)
    likeliest = policy.greedy(policy.whole(batch, 1), batch["avail_actions"][:, :1])

    assert torch.equal(stored, policy.head.stored(likeliest)[:, 0])


@pytest.mark.parametrize("agent", NETWORKS)
def test_only_the_chosen_episodes_act(agent: str) -> None:
    args = team_args(agent)
    policy, batch = team_of(args), make_batch(args, lengths=(T,) * B)
    with torch.no_grad():
        stored, memory = policy.act(Observed.of(batch, 0), policy.blank_memory(B), 0, rows=[0, 3])

    assert stored.shape == (2, N, 1)
    assert memory.shape[:2] == (B, N)
    assert batch["avail_actions"][[0, 3], 0].gather(2, stored).all()


@pytest.mark.parametrize("agent", NETWORKS)
def test_the_encoder_knows_no_order_without_ids(agent: str) -> None:
    args = team_args(agent, obs_agent_id=False, obs_last_action=False)
    policy, batch, order = team_of(args), double_batch(args), torch.tensor([2, 0, 1])
    view = IndependentPolicy.whole(policy, batch, T)
    encoded = policy.agent.encode(view.inputs, view.start)
    other = policy.agent.encode(view.inputs[:, :, order], view.start)

    torch.testing.assert_close(other.features, encoded.features[:, :, order], atol=1e-12, rtol=0)
    torch.testing.assert_close(other.values(), encoded.values()[:, :, order], atol=1e-12, rtol=0)


@pytest.mark.parametrize("agent", NETWORKS)
def test_a_single_number_is_seen(agent: str) -> None:
    """Normalised by itself, it would be a constant."""
    network = AGENTS[agent](1, A, A, team_args(agent))
    few, many = (
        network.encode(torch.full((1, 1, N, 1), number)).values() for number in (3.0, 25.0)
    )

    assert not torch.equal(few, many)


# ---------------------------------------------------------------- what is refused


@pytest.mark.parametrize(
    ("config", "words", "said"),
    [
        ("mappo", ["agent=mat"], "mac=basic_mac gives each agent its own. Type mac=team_mac"),
        ("mappo", ["mac=team_mac"], "agent=rnn answers for each agent alone. Type agent=mat"),
        ("qmix", ["mac=team_mac", "agent=mat"], "learner=q_learner learns from what they did"),
        ("mat", ["share_parameters=False"], "cannot be split. Type share_parameters=True"),
        ("mat", ["n_heads=5"], "does not divide rnn_hidden_dim=64.* Type rnn_hidden_dim=65"),
        ("mat", ["n_heads=0"], "n_heads"),
        ("mat", ["learner=coma_learner"], "learner=coma_learner learns from what they did"),
        ("mat", ["mac=ordered_mac"], "mac=ordered_mac gives each agent its own"),
        ("mappo", ["learner=team_learner"], "has none that judges. Type mac=team_mac agent=mat"),
        (
            "happo",
            ["mac=team_mac", "agent=mat"],
            "one network for all of them. Type learner=team_le",
        ),
        ("qmix", ["mac=ordered_mac"], "Type mac=basic_mac, or a learner that asks"),
    ],
)
def test_what_does_not_fit_is_refused(config: str, words: list[str], said: str) -> None:
    with pytest.raises(UserError, match=said):
        load_config([f"--config={config}", "--env-config=two_step", "with", *words])


def test_what_a_team_has_no_use_for_is_named() -> None:
    def warning(config: str, word: str) -> str:
        (found,) = load_config(
            [f"--config={config}", "--env-config=two_step", "with", word]
        ).warnings
        return found

    assert "learner=team_learner does not use critic_lr." in warning("mat", "critic_lr=0.1")
    assert "learner=team_learner does not use critic_type." in warning(
        "mat", "critic_type=ac_critic"
    )
    assert "agent=mat does not use retention_decay." in warning("mat", "retention_decay=0.5")
    assert "agent=rnn does not use n_blocks." in warning("mappo", "n_blocks=2")


def test_every_network_is_tested() -> None:
    assert {name for name in AGENTS if is_team_network(AGENTS[name])} == set(NETWORKS)
    assert A > 2  # to roll an action is to change it
