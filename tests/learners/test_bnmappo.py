"""Learned graphs: what they equal where they are empty or full, and what their budget does."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor

from components.minibatch import View
from components.parts import NOISE
from configuration import default_config
from configuration.fit import check_fit
from controllers.basic_controller import BasicMAC
from learners import REGISTRY as LEARNERS
from learners.bnmappo_learner import share_at
from modules.agents.graph import NO_NOISE, Beliefs, open_share
from policies.graph import GraphPolicy
from policies.independent import IndependentPolicy, Observed
from policies.ordered import OrderedPolicy
from tests.make import (
    B,
    N,
    T,
    actors,
    double_batch,
    flat,
    full_scheme,
    make_batch,
    make_learner,
    make_mac,
    on_policy_args,
    quiet_logger,
    rows_of,
)
from tests.pairs import every_pair
from tests.policies.test_hearing import KINDS, LEARNED, policy_of
from utils.errors import UserError

pytestmark = pytest.mark.usefixtures("double_precision")


class Sure(torch.nn.Module):
    """Instead of a sampler: agents act by number, and all edges are as likely as `logit` says."""

    def __init__(self, logit: float) -> None:
        super().__init__()
        self.logit = logit

    def forward(self, own: Tensor) -> Beliefs:
        pairs = own[..., 0].unsqueeze(-1).expand(*own.shape[:-1], N)
        return Beliefs(torch.full_like(pairs, self.logit), -1e3 * torch.arange(N).to(pairs[..., 0]))


def sure(args: Any, logit: float) -> GraphPolicy:
    policy = policy_of(GraphPolicy, args)
    policy.agent.graph = Sure(logit)
    return policy


def learned(policy: IndependentPolicy, args: Any, updates: int = 3) -> Any:
    torch.manual_seed(3)
    learner: Any = LEARNERS["mappo_learner"](
        BasicMAC.of(policy), full_scheme(args), quiet_logger(), args
    )
    for update in range(updates):
        learner.train(double_batch(args, seed=update), update, update)
    return learner.policy.agent


# ---------------------------------------------------------------- what it equals


@pytest.mark.parametrize(
    ("agent", "share", "continuous", "told"),
    every_pair(["rnn", "mlp"], [True, False], [False, True], ["head", "projection"]),
)
def test_with_all_edges_in_the_order_of_numbers_it_is_armappo_bit_for_bit(
    agent: str, share: bool, continuous: bool, told: str
) -> None:
    kind = {"agent": agent, "share_parameters": share, "told_through": told, "lr": 0.01}
    args = on_policy_args(continuous, **kind, **LEARNED, minibatches=2)
    plain = on_policy_args(continuous, **kind, minibatches=2)
    graphs, ordered = (
        learned(sure(args, 1e9), args),
        learned(policy_of(OrderedPolicy, plain), plain),
    )

    assert torch.equal(flat(graphs.parameters()), flat(ordered.parameters()))


@pytest.mark.parametrize(("agent", "share", "continuous"), KINDS)
def test_without_edges_it_is_mappo_bit_for_bit(agent: str, share: bool, continuous: bool) -> None:
    """Gradients are not clipped: the norm of more weights is rounded differently."""
    kind = {"agent": agent, "share_parameters": share, "lr": 0.01, "grad_norm_clip": 1e9}
    args = on_policy_args(continuous, **kind, **LEARNED, minibatches=2)
    plain = on_policy_args(continuous, **kind, minibatches=2)
    independent = policy_of(IndependentPolicy, plain)
    independent.agents_apart = False  # laid out as teams are: other rows are rounded differently
    deaf, mappo = learned(sure(args, -1e9), args), learned(independent, plain)

    assert torch.equal(flat(deaf.base.parameters()), flat(mappo.parameters()))


@torch.no_grad()
@pytest.mark.parametrize(("agent", "share", "continuous"), KINDS)
def test_without_edges_agents_act_as_those_of_basic_mac(
    agent: str, share: bool, continuous: bool
) -> None:
    kind = {"agent": agent, "share_parameters": share}
    args = on_policy_args(continuous, **kind, **LEARNED)
    plain = on_policy_args(continuous, **kind)
    policies = sure(args, -1e9), make_mac(plain).policy
    batch, found = make_batch(args), []
    for policy in policies:
        torch.manual_seed(4)
        memory = policy.blank_memory(B)
        found.append([policy.act(Observed.of(batch, t), memory, 0, testing)[0]
                      for t in range(T) for testing in (False, True)])  # fmt: skip

    assert all(torch.equal(*pair) for pair in zip(*found, strict=True))


@pytest.mark.parametrize("agent", ["rnn", "mlp"])
def test_a_budget_without_weight_changes_nothing(agent: str) -> None:
    ends = []
    for name in ("mappo_learner", "bnmappo_learner"):
        args = on_policy_args(learner=name, agent=agent, **LEARNED, graph_weight=0.0, lr=0.01)
        learner = make_learner(args)
        for update in range(3):
            learner.train(double_batch(args, seed=update), update, update)
        ends.append(actors(learner))

    assert torch.equal(*ends)


# ---------------------------------------------------------------- what is learned


@pytest.mark.parametrize(("agent", "share", "continuous"), KINDS)
def test_first_ratios_are_exactly_one_and_the_sampler_learns(
    agent: str, share: bool, continuous: bool
) -> None:
    kind = {"agent": agent, "share_parameters": share, "told_through": "projection"}
    args = on_policy_args(continuous, learner="bnmappo_learner", **kind, **LEARNED)
    learner, batch = make_learner(args), double_batch(args, lengths=(T,) * B)
    played = rows_of(learner, batch)
    view = View(played.inputs, played.memory, played.running)
    again, _ = learner.policy.evaluate(view, played.avail, played.actions)
    assert torch.equal(again, played.log_probs)

    (-(again * played.advantages).mean()).backward()  # of the policy alone, without a budget
    gradients = {name: p.grad for name, p in learner.policy.agent.graph.named_parameters()}
    assert all(torch.isfinite(gradient).all() for gradient in gradients.values())
    assert all(gradient.abs().sum() > 0 for gradient in gradients.values())


def open_edges(learner: Any, batch: Any) -> float:
    graphs = learner.policy.graphs(learner.policy.whole(batch, T))
    return float(open_share(graphs).detach().mean())


@pytest.mark.parametrize("budget", [0.0, 1.0])
def test_edges_come_to_their_budget(budget: float) -> None:
    args = on_policy_args(
        learner="bnmappo_learner", **LEARNED, graph_budget=[[0, budget]], graph_weight=10.0, lr=0.01
    )
    learner, batch = make_learner(args), double_batch(args)
    before = open_edges(learner, batch)
    for update in range(10):
        learner.train(batch, update, update)

    assert 0.2 < before < 0.8
    assert abs(open_edges(learner, batch) - budget) < 0.05


def test_what_is_logged() -> None:
    args = on_policy_args(
        learner="bnmappo_learner", **LEARNED, graph_budget=[[0, 1.0], [100, 0.0]], minibatches=2
    )
    learner, seen = make_learner(args), {}
    learner.logger.log_stat = lambda key, value, t_env: seen.update({key: value})
    learner.train(double_batch(args), 25, 0)

    assert seen["graph/budget"] == 0.75
    assert 0.2 < seen["graph/open"] < 0.8
    assert 0.5 < seen["graph/entropy"] < 0.7
    assert {"entropy", "approx_kl", "clip_fraction"} <= seen.keys()


def test_graphs_are_measured_before_the_step() -> None:
    """With one epoch of one minibatch, as they were when acting."""
    args = on_policy_args(learner="bnmappo_learner", **LEARNED, epochs=1, minibatches=1, lr=0.1)
    learner, batch, seen = make_learner(args), double_batch(args, lengths=(T,) * B), {}
    learner.logger.log_stat = lambda key, value, t_env: seen.update({key: value})
    before = open_edges(learner, batch)
    learner.train(batch, 0, 0)

    assert seen["graph/open"] == pytest.approx(before)
    assert abs(open_edges(learner, batch) - before) > 0.01


def test_budgets_go_in_straight_lines() -> None:
    budget = [[0, 1.0], [40, 1.0], [80, 0.0]]
    assert [share_at(budget, t) for t in (0, 39, 40, 50, 79, 80, 900)] == pytest.approx(
        [1, 1, 1, 0.75, 0.025, 0, 0]
    )


def test_tests_draw_no_graphs() -> None:
    policy = policy_of(GraphPolicy, on_policy_args(**LEARNED))

    assert torch.equal(policy.draw_noise(2, testing=True), torch.full((2, N, 1 + N), NO_NOISE))
    assert len(policy.draw_noise(2).unique()) == 2 * N * (1 + N)
    assert NOISE in full_scheme(on_policy_args(**LEARNED))


# ---------------------------------------------------------------- what is refused


def refused(**settings: Any) -> str:
    sizes = dict.fromkeys(("batch_size_run", "batch_size", "buffer_size"), 8)
    policy = {"action_selector": "soft_policies", "agent_output_type": "pi_logits"}
    given = {**default_config(), "action_kind": "discrete", **sizes, **policy, **LEARNED}
    given["learner"] = "bnmappo_learner"
    check_fit(given)
    with pytest.raises(UserError) as error:
        check_fit({**given, **settings})
    return str(error.value)


def test_what_does_not_fit_is_refused_with_what_to_type() -> None:
    assert "Type mac=graph_mac graph=learned" in refused(mac="ordered_mac")
    assert "Type mac=graph_mac graph=learned" in refused(graph="full")
    in_turns = refused(learner="happo_learner", share_parameters=False)
    assert "learn one after the other. Type graph=full" in in_turns


@pytest.mark.parametrize(
    "budget",
    [[], 1.0, [1.0], [[0, 2.0]], [[5, 1.0]], [[0, 1.0], [0, 0.5]], [[0, True]], [[0, 1, 2]]],
)
def test_budgets_that_cannot_be_read(budget: Any) -> None:
    assert "graph_budget=[[0,1.0],[400000,1.0],[800000,0.0]]" in refused(graph_budget=budget)
