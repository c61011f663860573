"""BPPO: turns in which agents also learn from what their actions do to those who hear them."""

from __future__ import annotations

import itertools
from typing import Any

import pytest
import torch
from torch import Tensor

from components.discrete_head import DiscreteHead
from components.episode_buffer import EpisodeBatch
from components.parts import action_field
from configuration import default_config
from configuration.fit import check_fit
from learners.bppo_learner import with_peers
from learners.surrogate import outside
from tests.learners.test_turns import batch_of, everything, learner_of, log_probs, mask_of, trained
from tests.make import N, T, actors, flat
from tests.pairs import every_pair
from theory.games import CLIMBING
from utils.errors import UserError

pytestmark = pytest.mark.usefixtures("double_precision")

KINDS = list(itertools.product(["rnn", "mlp"], [False, True]))
ORDERED: dict[str, Any] = {"mac": "ordered_mac", "turn_order": "reverse", "others_clip": 0.1}
ONE = {"action_low": [[-1.0] * 5], "action_high": [[2.0] * 5]}
TOLD = ["head", "projection"]


def bppo(continuous: bool = False, **settings: Any) -> Any:
    return learner_of("bppo_learner", continuous, **{**ORDERED, **settings})


# ---------------------------------------------------------------- what it equals


@pytest.mark.parametrize(
    ("agent", "continuous", "told"), every_pair(["rnn", "mlp"], [False, True], TOLD)
)
def test_without_feedback_agents_take_plain_turns_bit_for_bit(
    agent: str, continuous: bool, told: str
) -> None:
    settings = {**ORDERED, "agent": agent, "told_through": told, "minibatches": 2}
    ends = []
    for name in ("bppo_learner", "happo_learner"):
        learner = learner_of(name, continuous, bppo_feedback=0.0, **settings)
        trained(learner)
        ends.append(everything(learner))
    assert torch.equal(*ends)

    fed = bppo(continuous, agent=agent, told_through=told, minibatches=2)
    trained(fed)
    assert not torch.equal(flat(fed.mac.parameters()), ends[0][: len(actors(fed))])


@pytest.mark.parametrize(("agent", "continuous"), KINDS)
def test_where_nobody_is_heard_nothing_pulls(agent: str, continuous: bool) -> None:
    """Made to ask all the same, it finds exact zeros, which change no bit."""
    settings = {"agent": agent, "mac": "graph_mac", "graph": "empty", "told_through": "projection"}
    ends = []
    for feedback in (0.0, 1.0):
        learner, found = bppo(continuous, **settings, bppo_feedback=feedback), []
        learner._hears = [True] * N
        credit = learner.credit
        learner.credit = lambda *given, ask=credit, into=found: (
            into.append(ask(*given).pull) or ask(*given)
        )
        trained(learner, rounds=1)
        ends.append(flat([*learner.mac.parameters(), *learner.critic_params]))
        if feedback:
            assert all(torch.equal(pull, torch.zeros_like(pull)) for pull in found[1:])

    assert torch.equal(*ends)


@pytest.mark.parametrize("share", [True, False])
@pytest.mark.parametrize(("agent", "continuous"), KINDS)
def test_one_agent_is_mappo_on_the_same_controller_bit_for_bit(
    agent: str, continuous: bool, share: bool
) -> None:
    ends = []
    for name in ("mappo_learner", "bppo_learner"):
        settings = {**ORDERED, "n_agents": 1, "agent": agent, "share_parameters": share}
        bounds = ONE if continuous else {}
        learner = learner_of(name, continuous, **settings, **bounds, told_through="projection")
        trained(learner)
        ends.append(everything(learner))

    assert torch.equal(*ends)


# ---------------------------------------------------------------- d


def pulls(learner: Any, batch: EpisodeBatch) -> list[tuple[int, Tensor | None, Tensor]]:
    """Before each turn: whose it is, d of its action, and the slope that differences give."""
    seen, in_turn = [], learner.in_turn

    def noting(rows: Any, turn: Any, moved: Tensor) -> Any:
        pull = None if learner._pull is None else learner._pull[:, :, turn.agent].clone()
        who = [i for i in range(N) if i > turn.agent]  # in reverse order, those that have moved
        seen.append((turn.agent, pull, slopes(learner, batch, turn.agent, who)))
        return in_turn(rows, turn, moved)

    learner.in_turn = noting
    learner.train(batch, 0, 0)
    return seen


def slopes(learner: Any, batch: EpisodeBatch, i: int, who: list[int], step: float = 1e-5) -> Tensor:
    """Of the log-probabilities of `who` by each part of agent i's action, at real steps."""
    field = batch[action_field(batch.scheme)]
    stored, sums = field.clone(), []
    for part in range(field.shape[-1]):
        ends = []
        for sign in (1, -1):
            field.copy_(stored)
            field[:, :, i, part] += sign * step
            view = learner.policy.whole(batch, T)
            outputs = learner.policy.outputs(view).detach()
            avail, actions = batch["avail_actions"][:, :T], batch["actions"][:, :T]
            if actions.dtype != torch.long:
                actions = stored[:, :T]  # what is chosen stays; what is heard differs
            ends.append(learner.head.log_prob(outputs, avail, actions)[..., who].sum(dim=2))
        sums.append((ends[0] - ends[1]) / (2 * step))
    field.copy_(stored)
    return torch.stack(sums, dim=2) * mask_of(batch)  # (B, T, A)


@pytest.mark.parametrize("told", TOLD)
@pytest.mark.parametrize(("agent", "continuous"), KINDS)
def test_d_is_the_slope_of_relaxed_actions(agent: str, continuous: bool, told: str) -> None:
    """Also of padding, where it is zero."""
    learner = bppo(continuous, agent=agent, told_through=told, obs_last_action=False, lr=0.001)
    (last, none, _), *later = pulls(learner, batch_of(learner))

    assert (last, none) == (N - 1, None)
    assert [i for i, _, _ in later] == [1, 0]
    for _, pull, expected in later:
        assert pull is not None
        assert float(expected.abs().max()) > 1e-3
        torch.testing.assert_close(pull, expected, rtol=0, atol=1e-6)


def test_d_of_the_first_of_two_by_hand() -> None:
    """Told through the head, log pi_2 = l_(a_2) - log sum exp l with l = own + W a_1, so that
    d_1 = W' (a_2 - pi_2)."""
    learner = bppo(n_agents=2, agent="mlp", told_through="head")
    batch, found = batch_of(learner), []
    in_turn = learner.in_turn

    def noting(rows: Any, turn: Any, moved: Tensor) -> Any:
        if turn.agent == 0:
            view = learner.policy.whole(batch, T)
            outputs = learner.policy.outputs(view)[:, :, 1].detach()
            masked = outputs.masked_fill(batch["avail_actions"][:, :T, 1] == 0, -1e30)
            error = batch["actions_onehot"][:, :T, 1] - masked.softmax(dim=-1)
            of_first = learner.policy.agent.tellers[1].fc.weight[:, : error.shape[-1]].detach()
            found.append((learner._pull[:, :, 0], error @ of_first * mask_of(batch)))
        return in_turn(rows, turn, moved)

    learner.in_turn = noting
    learner.train(batch, 0, 0)

    torch.testing.assert_close(*found[0])
    assert float(found[0][0].abs().max()) > 0


# ---------------------------------------------------------------- the gain


def test_the_gain_is_equation_6() -> None:
    """Written out for steps inside and outside the range, of good and bad actions."""
    ratio = torch.tensor([0.7, 0.9, 1.0, 1.1, 1.4]).repeat(2).requires_grad_()
    advantages = torch.tensor([1.0, -2.0]).repeat_interleave(5)
    others, action = torch.linspace(0.9, 1.1, 10), torch.linspace(-2, 2, 10).requires_grad_()
    d = torch.linspace(1, 3, 10)
    value = with_peers(d * action, ratio, others, advantages, 0.2)
    value.sum().backward()

    given = [x.detach() for x in (ratio, others, advantages, action)]
    for place in range(10):
        r, M, A, g = (float(x[place]) for x in given)
        kept, pull = min(max(r, 0.8), 1.2), float(d[place])
        options = [x * M * A + x * M * A * pull * g for x in (r, kept)]
        assert float(value.detach()[place]) == pytest.approx(min(options))
        if r == kept or options[0] < options[1]:
            assert float(ratio.grad[place]) == pytest.approx(M * A)
        taken = r if options[0] <= options[1] else kept
        assert float(action.grad[place]) == pytest.approx(taken * M * A * pull)
    assert torch.equal(
        with_peers(torch.zeros(10), ratio, others, advantages, 0.2),
        outside(ratio, others, advantages, 0.2),
    )


@pytest.mark.parametrize("agent", ["rnn", "mlp"])
def test_bppo_is_what_is_written_out(agent: str) -> None:
    """Continuous actions, whose function of the outputs has no noise of its own to draw."""
    ends = []
    for by_hand in (True, False):
        settings = {"agent": agent, "told_through": "projection", "bppo_feedback": 2.0}
        learner = bppo(True, **settings, lr=0.001, obs_last_action=False)
        with torch.no_grad():
            for param in learner.mac.parameters():
                param.mul_(0.3)  # policies so wide that no ratio has to be limited
        batch = batch_of(learner)
        if by_hand:
            written_out(learner, batch)
        else:
            learner.train(batch, 0, 0)
        ends.append(flat([*learner.mac.parameters(), *learner.critic_params]))

    torch.testing.assert_close(*ends, rtol=1e-5, atol=1e-7)


def written_out(learner: Any, batch: EpisodeBatch) -> None:
    """A round, agent by agent: every number by a pass over all networks."""
    args, episodes = learner.args, learner.look_back(batch)
    rows, advantages = learner.in_rows(episodes).packed(), learner.advantages(episodes)
    given = batch["avail_actions"][:, :T], batch["actions"][:, :T]
    before, mask = log_probs(learner, batch), mask_of(batch)
    for i in reversed(range(N)):
        M = (log_probs(learner, batch) - before).sum(dim=2).exp().clamp(0.9, 1.1)
        d = slopes(learner, batch, i, list(range(i + 1, N)))
        for _ in range(args.epochs):
            if i == N - 1:
                learner.improve_critic(rows)
            own, outputs = learner.policy.evaluate(learner.policy.whole(batch, T), *given)
            action = learner.head.retraced(outputs, *given)[:, :, i]
            peers = args.bppo_feedback * (d * action).sum(dim=2)
            ratio, A = ((own - before) * mask)[..., i].exp(), advantages[..., i]
            options = [r * A + r.detach() * A * peers for r in (ratio, ratio.clamp(0.8, 1.2))]
            bonus = args.entropy_coef * learner.head.entropy(outputs, given[0])[..., i]
            loss = -((M * torch.min(*options) + bonus) * mask[..., 0]).sum() / mask.sum()
            learner.step(loss, learner.agent_optimiser, learner.own_params[i])
        learner.agent_optimiser.zero_grad()


# ---------------------------------------------------------------- what the peer term is


def test_the_own_term_alone_is_the_gradient_and_the_peer_term_is_unrelated_to_it() -> None:
    """Two agents with tables for policies play Climbing; agent 2 hears agent 1. (docs/bppo.md)

    The gradient of the first agent's logits is known exactly: of the expected reward. Each term's
    is the expectation over all nine joint actions, and for the peer term over noise as well.
    """
    torch.manual_seed(0)
    first = torch.randn(2000, 3, requires_grad=True)  # logits of 2000 teams
    second = torch.randn(2000, 3, 3)  # by what agent 1 did
    log_first, log_second = first.log_softmax(dim=1), second.log_softmax(dim=2)
    value = torch.einsum("ta,tab,ab->t", log_first.exp(), log_second.exp(), CLIMBING)
    (exact,) = torch.autograd.grad(value.sum(), first, retain_graph=True)

    p = (log_first.detach().unsqueeze(2) + log_second).exp()  # (2000, 3, 3)
    A = CLIMBING - value.detach().reshape(-1, 1, 1)
    (own,) = torch.autograd.grad((p * A * log_first.unsqueeze(2)).sum(), first, retain_graph=True)
    torch.testing.assert_close(own, exact, rtol=0, atol=1e-13)

    # d[t, a, b, :] is the slope of log pi_2(b | a_1) at a_1 = a, as logits are a_1 times the table.
    means = torch.einsum("tab,tcb->tac", log_second.exp(), second)
    d = second.permute(0, 2, 1).unsqueeze(1) - means.unsqueeze(2)  # (2000, 3, 3, 3)
    samples = 100
    chosen = torch.arange(3).reshape(3, 1).expand(samples, 2000, 3, 1)
    outputs = first.unsqueeze(1).expand(samples, 2000, 3, 3)
    g = DiscreteHead(3).retraced(outputs, torch.ones(3), chosen)  # (samples, 2000, 3, 3)
    weights = torch.einsum("tab,tab,tabc->tac", p, A, d)
    (peer,) = torch.autograd.grad((g.mean(dim=0) * weights).sum(), first)

    cosines = torch.cosine_similarity(peer, exact, dim=1)
    assert abs(float(cosines.mean())) < 0.05
    assert 0.45 < float((cosines < 0).double().mean()) < 0.55
    assert 0.15 < float((peer.norm(dim=1) / exact.norm(dim=1)).median()) < 0.3


# ---------------------------------------------------------------- what is refused


def test_what_does_not_fit_is_refused_with_what_to_type() -> None:
    sizes = dict.fromkeys(("batch_size_run", "batch_size", "buffer_size"), 8)
    policy = {"action_selector": "soft_policies", "agent_output_type": "pi_logits"}
    settings = {**default_config(), "action_kind": "discrete", **sizes, **policy, **ORDERED}
    settings |= {"learner": "bppo_learner", "share_parameters": False}
    check_fit(settings)

    with pytest.raises(UserError, match="Type mac=ordered_mac, or learner=happo_learner"):
        check_fit({**settings, "mac": "basic_mac"})
    with pytest.raises(UserError, match="Add: share_parameters=False"):
        check_fit({**settings, "share_parameters": True})
