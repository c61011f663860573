"""What agents that hear others learn: equal to what is known where little is heard."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from components.minibatch import View
from components.parts import NOISE
from configuration import default_config
from configuration.fit import check_fit
from controllers.basic_controller import BasicMAC
from learners import REGISTRY as LEARNERS
from modules.agents import REGISTRY as AGENTS
from policies.graph import GraphPolicy
from policies.independent import IndependentPolicy, Observed
from policies.ordered import OrderedPolicy as Ordered
from runners import REGISTRY as RUNNERS
from tests.make import (
    A,
    B,
    N,
    T,
    actors,
    double_batch,
    flat,
    full_scheme,
    make_batch,
    make_learner,
    on_policy_args,
    quiet_logger,
    rows_of,
    step_by_step,
)
from tests.policies.test_hearing import DRAWN, KINDS, play, policy_of
from utils.errors import UserError

pytestmark = pytest.mark.usefixtures("double_precision")


def played_and_learned(policy: IndependentPolicy, args: Any, updates: int) -> list[Tensor]:
    """Memory and actions of acting; outputs after some updates; the random numbers left."""
    batch = make_batch(args, lengths=(T,) * B)
    torch.manual_seed(3)
    memory = play(policy, batch)
    mac, scheme = BasicMAC.of(policy), full_scheme(args)
    learner: Any = LEARNERS[args.learner](mac, scheme, quiet_logger(), args)
    for update in range(updates):
        learner.train(double_batch(args, seed=update), update, update)
    outputs = step_by_step(policy, double_batch(args), T)
    return [memory, batch["actions"], outputs, torch.get_rng_state()]


@pytest.mark.parametrize(
    ("name", "agent", "share", "continuous", "updates"),
    [
        ("mappo_learner", "mlp", False, False, 20),
        ("kmappo_learner", "rnn", True, True, 20),
        *(("mappo_learner", *kind, 3) for kind in KINDS),
    ],
)
def test_with_nobody_heard_it_is_the_independent_policy_bit_for_bit(
    name: str, agent: str, share: bool, continuous: bool, updates: int
) -> None:
    settings = {"learner": name, "agent": agent, "share_parameters": share, "minibatches": 2}
    args = on_policy_args(continuous, **settings, graph="empty", epochs=2, lr=0.01)
    deaf, plain = policy_of(GraphPolicy, args), policy_of(IndependentPolicy, args)
    plain.agents_apart = False  # laid out as teams are: other rows are rounded differently
    found, expected = (played_and_learned(each, args, updates) for each in (deaf, plain))

    assert all(torch.equal(one, other) for one, other in zip(found, expected, strict=True))


@pytest.mark.parametrize(("agent", "share", "continuous"), KINDS)
def test_one_agent_is_one_that_hears_nobody(agent: str, share: bool, continuous: bool) -> None:
    bounds = {"action_low": [[-1.0] * A], "action_high": [[2.0] * A]} if continuous else {}
    settings = {"agent": agent, "share_parameters": share, "learner": "mappo_learner"}
    args = on_policy_args(continuous, **settings, **bounds, n_agents=1, lr=0.01)
    found, expected = (
        played_and_learned(policy_of(kind, args), args, updates=2)
        for kind in (Ordered, IndependentPolicy)
    )

    assert all(torch.equal(one, other) for one, other in zip(found, expected, strict=True))


def test_what_could_be_heard_and_is_not_changes_no_weight() -> None:
    """With numbers that are all equal nobody is before anybody, and there is nothing to tell.

    Gradients are not clipped: the norm of more weights is rounded differently.
    """
    settings = {"learner": "mappo_learner", "agent": "mlp", "lr": 0.01, "grad_norm_clip": 1e9}
    args = on_policy_args(**settings, **DRAWN)
    heard, plain = policy_of(Ordered, args), policy_of(IndependentPolicy, args)
    before = flat(heard.agent.tellers.parameters())
    for policy in (heard, plain):
        torch.manual_seed(0)
        mac, scheme = BasicMAC.of(policy), full_scheme(args)
        learner: Any = LEARNERS[args.learner](mac, scheme, quiet_logger(), args)
        for update in range(5):
            batch = double_batch(args, seed=update)
            batch[NOISE].zero_()
            learner.train(batch, update, update)

    assert torch.equal(flat(heard.agent.base.parameters()), flat(plain.parameters()))
    assert torch.equal(flat(heard.agent.tellers.parameters()), before)


@pytest.mark.parametrize("name", ["mappo_learner", "kmappo_learner"])
@pytest.mark.parametrize("told", ["head", "projection"])
def test_a_full_graph_is_the_order_of_numbers_bit_for_bit(told: str, name: str) -> None:
    args = on_policy_args(learner=name, told_through=told, graph="full", lr=0.01)
    found, expected = (
        played_and_learned(policy_of(kind, args), args, updates=2)
        for kind in (GraphPolicy, Ordered)
    )

    assert all(torch.equal(one, other) for one, other in zip(found, expected, strict=True))


def learned(updates: int, **settings: Any) -> Tensor:
    """The actors' weights after some updates."""
    args = on_policy_args(mac="ordered_mac", lr=0.01, **settings)
    learner = make_learner(args)
    for update in range(updates):
        learner.train(double_batch(args, seed=update), update, update)
    return actors(learner)


@pytest.mark.parametrize("told", ["head", "projection"])
def test_one_level_is_the_ordered_base_algorithm_bit_for_bit(told: str) -> None:
    settings: dict[str, Any] = {"told_through": told, "k_level": 1, "minibatches": 2}
    base, one = (
        learned(3, learner=name, **settings) for name in ("mappo_learner", "kmappo_learner")
    )

    assert torch.equal(one, base)
    assert not torch.equal(learned(3, learner="kmappo_learner", **settings | {"k_level": 2}), base)


@pytest.mark.parametrize("order", ["sequential", "random"])
@pytest.mark.parametrize("agent", ["rnn", "mlp"])
def test_first_ratios_are_exactly_one(agent: str, order: str) -> None:
    kind = {"agent": agent, "agent_order": order, "told_through": "projection"}
    learner = make_learner(on_policy_args(learner="mappo_learner", mac="ordered_mac", **kind))
    batch = double_batch(learner.args, lengths=(T,) * B)
    played = rows_of(learner, batch)
    view = View(played.inputs, played.memory, played.running)
    again, _ = learner.policy.evaluate(view, played.avail, played.actions)

    assert torch.equal(again, played.log_probs)


def test_the_dead_take_their_only_action_and_learn_nothing() -> None:
    """Others hear it, so that their tellers learn what it means."""
    args = on_policy_args(mac="ordered_mac", learner="mappo_learner", share_parameters=False)
    learner, batch = make_learner(args), double_batch(args)
    batch["avail_actions"][:, :, 1] = torch.eye(A, dtype=torch.int)[3]
    batch["actions"][:, :, 1] = 3
    batch["actions_onehot"][:, :, 1] = torch.eye(A)[3]
    stored, _ = learner.policy.act(Observed.of(batch, 0), learner.policy.blank_memory(B), 0)
    agent = learner.policy.agent
    of_agents = [[*agent.base.agents[i].parameters(), *agent.tellers[i].parameters()]
                 for i in range(N)]  # fmt: skip
    before = [flat(params) for params in of_agents]
    learner.train(batch, 0, 0)
    moved = [
        not torch.equal(flat(params), old) for params, old in zip(of_agents, before, strict=True)
    ]

    assert (stored[:, 1] == 3).all()
    assert moved == [True, False, True]


# ---------------------------------------------------------------- what is refused


def refused(**settings: Any) -> str:
    """What is said to settings that do not fit together."""
    with pytest.raises(UserError) as error:
        check_fit({**default_config(), "action_kind": "discrete", **MAPPO, **settings})
    return str(error.value)


MAPPO: dict[str, Any] = {
    "learner": "mappo_learner",
    "mac": "ordered_mac",
    "action_selector": "soft_policies",
    "agent_output_type": "pi_logits",
    **dict.fromkeys(("batch_size_run", "batch_size", "buffer_size"), 8),
}


def test_what_does_not_fit_is_refused_with_what_to_type() -> None:
    check_fit({**default_config(), "action_kind": "discrete", **MAPPO})

    for learner in ("q_learner", "facmac_learner", "coma_learner"):
        assert "as mappo_learner, ippo_learner, kmappo_learner" in refused(learner=learner)
    assert "Type agent=mlp." in refused(agent="cem")


def test_a_projection_needs_networks_without_their_last_layer(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    class Theirs(nn.Module):
        """Knows no `without_outputs`."""

    monkeypatch.setitem(AGENTS, "theirs", Theirs)

    assert "Type told_through=head" in refused(agent="theirs", told_through="projection")


def test_orders_are_drawn_only_where_they_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    class Theirs:
        """A runner written for PyMARL."""

    monkeypatch.setitem(RUNNERS, "theirs", Theirs)

    assert "agent_order=random draws orders" in refused(runner="theirs", agent_order="random")
