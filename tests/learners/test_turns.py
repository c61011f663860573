"""Agents that learn in turns: what HAPPO and A2PO equal where they are something simpler."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor

from components.episode_buffer import EpisodeBatch
from components.minibatch import valid_steps
from learners.advantages import gae
from learners.orders import ORDERS
from learners.surrogate import clipped, outside
from policies import one_agent
from policies.one_agent import OneAgent
from tests.make import (
    N,
    T,
    actors,
    double_batch,
    flat,
    make_learner,
    on_policy_args,
    rows_of,
)
from tests.pairs import every_pair
from utils.errors import UserError
from utils.needs import Given, require

pytestmark = pytest.mark.usefixtures("double_precision")

IN_TURNS = ["happo_learner", "a2po_learner"]
KINDS = [(agent, continuous) for agent in ("rnn", "mlp") for continuous in (False, True)]
PLAIN = {"a2po_trace": False, "a2po_clip_share": 0.0, "others_clip": None}


def learner_of(learner: str, continuous: bool = False, **settings: Any) -> Any:
    """Steps large enough that ratios leave their clip range."""
    sizes = {"lr": 0.01, "entropy_coef": 0.01, "grad_norm_clip": 0.5, "act_noise": 0.5}
    given = {"learner": learner, "share_parameters": False, **sizes, **settings}
    made = make_learner(on_policy_args(continuous, **given))
    with torch.no_grad():
        for param in made.mac.parameters():
            param.mul_(2)  # policies that differ from uniform ones
    return made


def everything(learner: Any) -> Tensor:
    """Parameters, states of both optimisers, and the stream of random numbers."""
    states = []
    for optimiser in (learner.agent_optimiser, learner.critic_optimiser):
        for state in optimiser.state_dict()["state"].values():
            states += [torch.as_tensor(value).double() for value in state.values()]
    stream = torch.get_rng_state().double()
    return flat([*learner.mac.parameters(), *learner.critic_params, *states, stream])


def batch_of(learner: Any, seed: int = 0) -> EpisodeBatch:
    """Random episodes for as many agents as the learner has."""
    return double_batch(learner.args, seed)


def trained(learner: Any, rounds: int = 2) -> dict[str, float]:
    """What the last of some rounds logs."""
    seen: dict[str, float] = {}
    learner.logger.log_stat = lambda key, value, t_env: seen.update({key: value})
    torch.manual_seed(5)
    for seed in range(rounds):
        learner.train(batch_of(learner, seed), learner.log_stats_t + 10**6, 0)
    return seen


def log_probs(learner: Any, batch: EpisodeBatch) -> Tensor:
    """Of all agents, by one pass over whole episodes. (B, T, N)"""
    view = learner.policy.whole(batch, T)
    actions = batch["avail_actions"][:, :T], batch["actions"][:, :T]
    found: Tensor = learner.policy.evaluate(view, *actions)[0].detach()
    return found


def mask_of(batch: EpisodeBatch) -> Tensor:
    return valid_steps(batch["filled"], batch["terminated"]).double()  # (B, T, 1)


# ---------------------------------------------------------------- one agent


@pytest.mark.parametrize(
    ("name", "agent", "continuous", "minibatches", "share"),
    every_pair(IN_TURNS, ["rnn", "mlp"], [False, True], [1, 3], [True, False]),
)
def test_one_agent_is_mappo_bit_for_bit(
    name: str, agent: str, continuous: bool, minibatches: int, share: bool
) -> None:
    ends = []
    for learner in ("mappo_learner", name):
        settings = {"n_agents": 1, "agent": agent, "minibatches": minibatches}
        one = {"action_low": [[-1.0] * 5], "action_high": [[2.0] * 5]} if continuous else {}
        order = {"turn_order": "semi_greedy", "others_clip": 0.1}
        made = learner_of(learner, continuous, share_parameters=share, **settings, **one, **order)
        trained(made)
        ends.append(everything(made))

    assert torch.equal(*ends)


# ---------------------------------------------------------------- the first turn


@pytest.mark.parametrize("name", IN_TURNS)
@pytest.mark.parametrize(("agent", "continuous"), KINDS)
def test_the_first_agent_s_gradient_is_n_times_mappo_s(
    name: str, agent: str, continuous: bool
) -> None:
    """Of one epoch with one minibatch: the mean is over one agent, not over N."""
    once = {"epochs": 1, "grad_norm_clip": 1e9, "dead_mask": False, "turn_order": "reverse"}
    plain = learner_of("mappo_learner", continuous, agent=agent, **once)
    turns = learner_of(name, continuous, agent=agent, a2po_clip_share=0.0, **once)
    plain.train(batch_of(plain), 0, 0)
    found: list[list[Tensor]] = []
    critics: list[Tensor] = []
    improve = turns.improve_agent

    def noting(*given: Any) -> Any:
        noted = improve(*given)
        found.append([param.grad for param in turns.agent_params])
        critics.append(flat(turns.critic_params))
        return noted

    turns.improve_agent = noting
    turns.train(batch_of(turns), 0, 0)

    first = [gradient is not None for gradient in found[0]]
    size = len(first) // N  # parameters of an agent
    assert first == [False] * (N - 1) * size + [True] * size  # the last agent's alone
    expected = N * flat([param.grad for param in plain.agent_params[-size:]])
    torch.testing.assert_close(flat(found[0][-size:]), expected)
    assert torch.equal(critics[0], flat(plain.critic_params))


# ---------------------------------------------------------------- weights


@pytest.mark.parametrize(("agent", "continuous"), KINDS)
@pytest.mark.parametrize("name", IN_TURNS)
def test_weights_are_the_joint_ratio_of_those_who_moved(
    name: str, agent: str, continuous: bool
) -> None:
    learner = learner_of(name, continuous, agent=agent, turn_order="cyclic", minibatches=2)
    batch, seen = batch_of(learner), []
    before, mask = log_probs(learner, batch), mask_of(batch)
    in_turn = learner.in_turn

    def noting(rows: Any, turn: Any, moved: Tensor) -> Any:
        change = log_probs(learner, batch) - before  # by a pass over all networks
        assert torch.equal(change[..., turn.agent :], torch.zeros_like(change[..., turn.agent :]))
        torch.testing.assert_close(moved * mask, change.sum(dim=2, keepdim=True) * mask)
        played = in_turn(rows, turn, moved)
        seen.append((moved, learner.weight(moved), played))
        return played

    learner.in_turn = noting
    learner.train(batch, 0, 0)

    assert torch.equal(seen[0][0], torch.zeros_like(seen[0][0]))
    assert torch.equal(seen[0][1], torch.ones_like(seen[0][1]))
    assert all(float((moved * mask).abs().sum()) > 0 for moved, _, _ in seen[1:])
    for _, weight, played in seen:
        assert float((played.weight * played.valid[..., :1]).sum()) == pytest.approx(
            float((weight * mask).sum())
        )


def test_others_clip_keeps_the_weight() -> None:
    learner = learner_of("happo_learner", others_clip=0.1)
    moved = torch.tensor([-3.0, -0.01, 0.0, 9.0])
    kept = learner.weight(moved).tolist()
    assert kept == pytest.approx([0.9, math.exp(-0.01), 1.0, 1.1])
    learner.args.others_clip = None
    assert float(learner.weight(moved)[3]) == pytest.approx(math.exp(5))


def written_out(learner: Any, batch: EpisodeBatch, order: list[int]) -> None:
    """HAPPO's round, agent by agent: every number by a pass over all networks."""
    args, episodes = learner.args, learner.look_back(batch)
    rows, advantages = learner.in_rows(episodes).packed(), learner.advantages(episodes)
    actions = batch["avail_actions"][:, :T], batch["actions"][:, :T]
    before, mask = log_probs(learner, batch), mask_of(batch)
    deciding = mask * learner.head.has_choice(actions[0])
    for place, i in enumerate(order):
        weight = (log_probs(learner, batch) - before).sum(dim=2).clamp(-5, 5).exp()
        for _ in range(args.epochs):
            if place == 0:
                learner.improve_critic(rows)
            own, outputs = learner.policy.evaluate(learner.policy.whole(batch, T), *actions)
            ratio = (own - before)[..., i].exp()
            gain = weight * clipped(ratio, advantages[..., i], args.eps_clip)
            gain = gain + args.entropy_coef * learner.head.entropy(outputs, actions[0])[..., i]
            where = deciding[..., i]
            loss = -(gain * where).sum() / where.sum()
            own_params = list(learner.policy.agent.agents[i].parameters())
            learner.step(loss, learner.agent_optimiser, own_params)
        learner.agent_optimiser.zero_grad()


@pytest.mark.parametrize(("agent", "continuous"), KINDS)
def test_happo_is_what_is_written_out(agent: str, continuous: bool) -> None:
    ends = []
    for by_hand in (True, False):
        settings = {"agent": agent, "turn_order": "reverse", "lr": 0.001}  # no ratio is limited
        learner = learner_of("happo_learner", continuous, **settings)
        batch = batch_of(learner)
        if by_hand:
            written_out(learner, batch, [2, 1, 0])
        else:
            learner.train(batch, 0, 0)
        ends.append(flat([*learner.mac.parameters(), *learner.critic_params]))

    torch.testing.assert_close(*ends)


# ---------------------------------------------------------------- A2PO


@pytest.mark.parametrize(
    ("order", "agent", "continuous"),
    every_pair(["random", "semi_greedy"], ["rnn", "mlp"], [False, True]),
)
def test_a2po_without_what_is_its_own_is_happo_bit_for_bit(
    order: str, agent: str, continuous: bool
) -> None:
    ends = []
    for name in IN_TURNS:
        made = learner_of(name, continuous, agent=agent, turn_order=order, minibatches=2, **PLAIN)
        made.gain = outside
        trained(made)
        ends.append(everything(made))

    assert torch.equal(*ends)


def test_the_trace_of_ratios_of_one_is_gae() -> None:
    """Nobody moves, so every turn has the first one's returns and advantages."""
    learner = learner_of("a2po_learner", lr=0.0, critic_lr=0.0)
    batch, seen = batch_of(learner), []
    rows = rows_of(learner, batch)
    in_turn = learner.in_turn
    learner.norm.load_state_dict(learner_of("a2po_learner").norm.state_dict())
    learner.in_turn = lambda *given: seen.append(given[0]) or in_turn(*given)
    learner.train(batch, 0, 0)

    assert len(seen) == N
    for each in seen:
        assert torch.equal(each.without_padding().returns, rows.returns)
        assert torch.equal(each.without_padding().advantages, rows.advantages)


def test_traces_equal_brute_force() -> None:
    """A_t = sum over l of (gamma lam)^l c_(t+1) .. c_(t+l) delta_(t+l), on five steps."""
    rewards, values, trace = torch.randn(1, 5, 1), torch.randn(1, 6, 1), torch.rand(1, 5, 1)
    ends, mask = torch.zeros(1, 5, 1), torch.ones(1, 5, 1)
    ends[0, -1] = 1
    found = gae(rewards, ends, mask, values, 0.9, 0.7, trace)

    for t in range(5):
        expected = torch.zeros(())
        for later in range(t, 5):
            following = 0.0 if later == 4 else values[0, later + 1, 0]
            delta = rewards[0, later, 0] + 0.9 * following - values[0, later, 0]
            weight = trace[0, t + 1 : later + 1, 0].prod()
            expected = expected + (0.9 * 0.7) ** (later - t) * weight * delta
        torch.testing.assert_close(found[0, t, 0], expected)


def test_advantages_are_estimated_again_before_each_turn() -> None:
    learner = learner_of("a2po_learner", turn_order="cyclic", lr=0.05)
    batch, seen = batch_of(learner), []
    mask, in_turn = mask_of(batch), learner.in_turn
    before = log_probs(learner, batch)

    def noting(rows: Any, turn: Any, moved: Tensor) -> Any:
        seen.append((rows, (log_probs(learner, batch) - before).sum(dim=2, keepdim=True)))
        return in_turn(rows, turn, moved)

    learner.in_turn = noting
    ahead = learner.look_back(batch).ahead
    learner.norm.load_state_dict(learner_of("a2po_learner").norm.state_dict())
    learner.train(batch, 0, 0)

    rewards = batch["reward"][:, :-1], batch["terminated"][:, :-1].double(), mask
    for rows, moved in seen:
        trace = moved.exp().clamp(max=1.0)
        again = gae(*rewards, ahead, 0.99, 0.95, trace) + ahead[:, :-1]
        torch.testing.assert_close(rows.returns * mask, learner.norm.normalise(again) * mask)
    assert not torch.allclose(seen[0][0].returns, seen[2][0].returns)
    assert not torch.allclose(seen[0][0].advantages, seen[2][0].advantages)


def test_clip_ranges_grow_from_turn_to_turn() -> None:
    learner = learner_of("a2po_learner", eps_clip=0.2, a2po_clip_share=0.5)
    turns = learner.turns(learner.look_back(batch_of(learner)))

    assert [learner.clip(turn) for turn in turns] == pytest.approx(
        [0.2 * x for x in (4 / 6, 5 / 6, 1)]
    )


# ---------------------------------------------------------------- orders


def test_orders() -> None:
    learner = learner_of("happo_learner")
    episodes = learner.look_back(batch_of(learner))
    worth = torch.tensor([0.1, 3.0, 1.0]) * torch.ones_like(episodes.values)
    episodes = episodes._replace(values=torch.ones_like(worth), returns=1 - worth)

    assert ORDERS["cyclic"](episodes) == [0, 1, 2]
    assert ORDERS["reverse"](episodes) == [2, 1, 0]
    drawn = {name: [tuple(ORDERS[name](episodes)) for _ in range(200)] for name in ORDERS}
    assert len(set(drawn["random"])) == 6
    assert set(drawn["semi_greedy"]) == {(1, 2, 0), (1, 0, 2)}  # the best first, then by lot


def test_who_decides_nothing_has_no_turn() -> None:
    learner = learner_of("happo_learner", lr=0.01)
    batch = batch_of(learner)
    batch["avail_actions"][:, :, 1, 1:] = 0
    actions = batch["actions"].clone()
    actions[:, :, 1] = 0
    batch.update({"actions": actions}, mark_filled=False)
    before = [flat(agent.parameters()) for agent in learner.policy.agent.agents]
    turns = learner.turns(learner.look_back(batch))
    assert sorted(turn.agent for turn in turns) == [0, 2]
    learner.train(batch, 0, 0)
    after = [flat(agent.parameters()) for agent in learner.policy.agent.agents]

    assert [torch.equal(*pair) for pair in zip(before, after, strict=True)] == [False, True, False]


# ---------------------------------------------------------------- what must not count


@pytest.mark.parametrize("name", IN_TURNS)
@pytest.mark.parametrize(("agent", "continuous"), KINDS)
def test_padding_has_exactly_no_gradient(name: str, agent: str, continuous: bool) -> None:
    ends = []
    for garbage in (False, True):
        learner = learner_of(name, continuous, agent=agent)
        batch = batch_of(learner)
        if garbage:
            for b, length in enumerate((T, 3, 1)):
                batch["obs"][b, length + 1 :] = 1e3
                batch["state"][b, length + 1 :] = -1e3
                batch["reward"][b, length:] = 1e6
        torch.manual_seed(0)
        learner.train(batch, 0, 0)
        ends.append(flat([*learner.mac.parameters(), *learner.critic_params]))

    assert torch.equal(*ends)


@pytest.mark.parametrize("name", IN_TURNS)
def test_dead_agents_have_exactly_no_gradient(name: str) -> None:
    """What a dead agent sees is nothing to its policy, nor to the others' weights."""
    ends = []
    for garbage in (0.0, 5.0):
        learner = learner_of(name, agent="mlp", turn_order="reverse")
        batch = batch_of(learner)
        batch["avail_actions"][:, 2:, 2, 1:] = 0
        actions = batch["actions"].clone()
        actions[:, 2:, 2] = 0
        batch.update({"actions": actions}, mark_filled=False)
        batch["obs"][:, 2:, 2] += garbage
        learner.train(batch, 0, 0)
        ends.append(actors(learner))

    assert torch.equal(*ends)


@pytest.mark.parametrize("name", IN_TURNS)
def test_one_chunk_is_the_full_unroll_bit_for_bit(name: str) -> None:
    ends = []
    for chunk_length in (None, T):
        learner = learner_of(name, chunk_length=chunk_length, minibatches=2)
        trained(learner)
        ends.append(actors(learner))

    assert torch.equal(*ends)


# ---------------------------------------------------------------- one agent of a policy


@pytest.mark.parametrize(("agent", "continuous"), KINDS)
def test_an_agent_is_asked_apart_as_all_are_together(agent: str, continuous: bool) -> None:
    learner = learner_of("happo_learner", continuous, agent=agent)
    policy, batch = learner.policy, batch_of(learner)
    avail, actions = batch["avail_actions"][:, :T], batch["actions"][:, :T]
    view = policy.whole(batch, T)
    together, outputs = policy.evaluate(view, avail, actions)

    def each(ask: Callable[[OneAgent, int], Tensor]) -> Tensor:
        return torch.cat([ask(OneAgent(policy, i), i) for i in range(N)], dim=2)

    def apart(one: OneAgent, i: int) -> Tensor:
        own = avail[:, :, i : i + 1], actions[:, :, i : i + 1]
        return one.evaluate(one.view(view), *own)[0]

    assert torch.equal(each(apart), together)
    assert torch.equal(each(lambda one, i: one.unroll(one.view(view))[0]), outputs)
    shared = learner_of("mappo_learner", continuous, agent=agent, share_parameters=True)
    policy = shared.policy
    view = policy.whole(batch, T)
    assert torch.equal(each(apart), policy.evaluate(view, avail, actions)[0])


MACS = (
    {},
    *({"mac": "ordered_mac", "told_through": through} for through in ("head", "projection")),
)


@pytest.mark.parametrize("agent", ["rnn", "mlp"])
@pytest.mark.parametrize("mac", MACS, ids=str)
def test_agents_asked_apart_learn_as_if_all_were_asked(
    agent: str, mac: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The slower way is that of policies that only know an `unroll`, and of those of PyMARL."""
    ends = []
    for apart in (True, False):
        learner = learner_of("happo_learner", agent=agent, minibatches=2, lr=0.001, **mac)
        assert one_agent.asked_apart(learner.policy)
        with monkeypatch.context() as patch:
            if not apart:
                patch.setattr(one_agent, "asked_apart", lambda policy: False)
            learner.agents = [OneAgent(learner.policy, i) for i in range(N)]
        trained(learner)
        ends.append(flat([*learner.mac.parameters(), *learner.critic_params]))

    torch.testing.assert_close(*ends)


@pytest.mark.parametrize("agent", ["rnn", "mlp"])
def test_agents_that_hear_nobody_learn_as_plain_ones_bit_for_bit(agent: str) -> None:
    ends = []
    for mac in ({}, {"mac": "graph_mac", "graph": "empty"}):
        learner = learner_of("happo_learner", agent=agent, minibatches=2, **mac)
        trained(learner)
        ends.append(everything(learner))

    assert torch.equal(*ends)


@pytest.mark.parametrize("told_through", ["head", "projection"])
def test_agents_that_hear_move_in_their_own_turns(told_through: str) -> None:
    settings = {"mac": "ordered_mac", "told_through": told_through, "turn_order": "reverse"}
    learner = learner_of("happo_learner", agent="rnn", epochs=1, **settings)
    moves: list[list[int]] = []
    improve = learner.improve_agent

    def noting(*given: Any) -> Any:
        before = [flat(own) for own in learner.own_params]
        noted = improve(*given)
        after = [flat(own) for own in learner.own_params]
        moves.append([i for i in range(N) if not torch.equal(before[i], after[i])])
        return noted

    learner.improve_agent = noting
    trained(learner, rounds=1)

    assert moves == [[2], [1], [0]]


# ---------------------------------------------------------------- what is logged and refused


@pytest.mark.parametrize("name", IN_TURNS)
def test_what_is_logged(name: str) -> None:
    learner = learner_of(name, turn_order="reverse", minibatches=2)
    plain = trained(learner_of("mappo_learner"), rounds=1)
    logged = trained(learner, rounds=1)

    assert plain.keys() <= logged.keys()
    assert [logged[f"turns/agent_{place}"] for place in (1, 2, 3)] == [2, 1, 0]
    by_place = [logged[f"turns/approx_kl_{place}"] for place in (1, 2, 3)]
    assert sum(by_place) / 3 == pytest.approx(logged["approx_kl"])
    assert logged["turns/team_kl"] > 0
    assert logged["turns/team_ratio"] > 0


@pytest.mark.parametrize("name", IN_TURNS)
def test_shared_parameters_are_refused(name: str) -> None:
    with pytest.raises(UserError, match="Add: share_parameters=False"):
        learner_of(name, share_parameters=True)


def test_networks_that_are_not_known_to_be_apart_are_refused(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    args = on_policy_args(learner="happo_learner", share_parameters=False)
    learner = make_learner(args)
    monkeypatch.delattr(type(learner.policy.agent), "parameters_of")
    with pytest.raises(UserError, match="mac=basic_mac share_parameters=False"):
        type(learner)(learner.mac, learner.scheme, learner.logger, args)


def test_a_trace_needs_returns_by_lambda() -> None:
    learner = learner_of("a2po_learner")
    settings = {**vars(learner.args), "return_steps": 5}
    with pytest.raises(UserError, match="Type return_steps=0, or a2po_trace=False"):
        require(type(learner), Given(settings))
    require(type(learner), Given({**settings, "a2po_trace": False}))
