"""Networks that are told what others do: sums over agents are the layers they stand for."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from components.orders import earlier, full
from modules.agents.conditioned import Conditioned, conditioned
from modules.agents.mlp_agent import MLPAgent
from modules.agents.separate import SeparateAgents
from tests.make import A, N, O, make_args

pytestmark = pytest.mark.usefixtures("double_precision")

ROWS = 5


def network(told: str, share: bool = True) -> Conditioned:
    torch.manual_seed(0)
    args = make_args(told_through=told)
    base: Any = MLPAgent(O, args) if share else SeparateAgents(MLPAgent, O, args)
    return conditioned(base, A, A, full(N), args)


def given(drawn: bool) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Inputs (R, L, N, O), actions (R, L, N, A), who hears whom, and that for every row."""
    random = torch.Generator().manual_seed(1)
    inputs = torch.randn(ROWS, 2, N, O, generator=random)
    actions = torch.randn(ROWS, 2, N, A, generator=random)
    listens = earlier(torch.rand(ROWS, 2, N, generator=random)) if drawn else full(N)
    return inputs, actions, listens, listens.expand(ROWS, 2, N, N)


def side_by_side(actions: Tensor, listens: Tensor) -> Tensor:
    """Each agent's row of all actions, zeros for those it does not hear. (..., N, N*A)"""
    return (actions.unsqueeze(-3) * listens.to(actions).unsqueeze(-1)).flatten(-2)


@pytest.mark.parametrize("drawn", [False, True])
def test_the_head_is_a_last_layer_over_features_and_heard_actions(drawn: bool) -> None:
    net, (inputs, actions, listens, each) = network("head"), given(drawn)
    own, features = net.unroll(inputs)
    last, teller = net.base.fc3, net.tellers[0].fc
    whole = torch.cat([last.weight, teller.weight], dim=1)
    expected = F.linear(torch.cat([features, side_by_side(actions, each)], -1), whole, last.bias)

    torch.testing.assert_close(net.decode(own, actions, listens), expected)


@pytest.mark.parametrize("drawn", [False, True])
def test_the_projection_is_two_layers_and_a_normalisation(drawn: bool) -> None:
    net, (inputs, actions, listens, each) = network("projection"), given(drawn)
    encoded, features = net.unroll(inputs)
    teller = net.tellers[0]
    ids = torch.eye(N).expand(*actions.shape[:-1], N)
    told = F.relu(teller.fc1(torch.cat([side_by_side(actions, each), ids], dim=-1)))
    expected = teller.fc3(teller.norm(features + F.relu(teller.fc2(told))))

    assert torch.equal(encoded, features)
    torch.testing.assert_close(net.decode(encoded, actions, listens), expected)


@pytest.mark.parametrize("told", ["head", "projection"])
@pytest.mark.parametrize("drawn", [False, True])
def test_separate_networks_with_equal_weights_equal_a_shared_one(drawn: bool, told: str) -> None:
    shared, separate = network(told), network(told, share=False)
    for mine, ours in ((separate.base.agents, shared.base), (separate.tellers, shared.tellers[0])):
        for each in mine:
            each.load_state_dict(ours.state_dict())
    inputs, actions, listens, _ = given(drawn)
    found, expected = (
        net.decode(net.unroll(inputs)[0], actions, listens) for net in (separate, shared)
    )

    torch.testing.assert_close(found, expected)


def test_one_slot_is_as_many() -> None:
    net, (inputs, _, _, _) = network("projection"), given(False)
    one, _ = net(inputs[:, 0].flatten(0, 1), net.init_hidden().expand(ROWS, N, -1))

    torch.testing.assert_close(one.unflatten(0, (ROWS, N)), net.unroll(inputs)[0][:, 0])
