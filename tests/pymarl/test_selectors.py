"""Selectors of other repositories are given what they are written for."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor

from components.action_selectors import REGISTRY as SELECTORS
from tests.make import A, B, N, make_batch, make_mac, policy_args


class Seeing:
    """Keeps what it is given."""

    epsilon = 0.0
    seen: Tensor
    explores: bool | None = None

    def __init__(self, args: Any) -> None: ...

    def most(self, given: Tensor) -> Tensor:
        self.seen = given
        return given.argmax(dim=-1)


class OfFACMAC(Seeing):
    def select_action(
        self,
        agent_logits: Tensor,
        avail_logits: Tensor,
        t_env: int,
        test_mode: bool = False,
        explore: bool = False,
    ) -> Tensor:
        self.explores = explore
        return torch.eye(A)[self.most(agent_logits)]


class OfPyMARL2(Seeing):
    def select_action(
        self, agent_logits: Tensor, avail_actions: Tensor, t_env: int, test_mode: bool = False
    ) -> Tensor:
        return self.most(agent_logits)


class OfPyMARL(Seeing):
    def select_action(
        self, agent_inputs: Tensor, avail_actions: Tensor, t_env: int, test_mode: bool = False
    ) -> Tensor:
        return self.most(agent_inputs)


def asked(kind: type, monkeypatch: pytest.MonkeyPatch, **options: Any) -> tuple[Any, Tensor, Any]:
    """The selector, what a controller gives by it, and the batch."""
    monkeypatch.setitem(SELECTORS, "own", kind)
    args = policy_args(action_selector="own")
    mac, batch = make_mac(args), make_batch(args)
    mac.init_hidden(B)
    return mac.action_selector, mac.select_actions(batch, 0, 0, **options), batch


@pytest.mark.parametrize("testing", [False, True])
@pytest.mark.parametrize("kind", [OfFACMAC, OfPyMARL2])
def test_those_of_logits_get_masked_logits(
    kind: type, testing: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    selector, actions, batch = asked(kind, monkeypatch, test_mode=testing)
    avail = batch["avail_actions"][:, 0]
    mac = make_mac(policy_args())
    outputs, _ = mac.policy.one_slot(mac.policy.inputs_at(batch, 0), mac.policy.blank_memory(B))

    assert torch.equal(selector.seen[avail == 1], outputs[avail == 1])
    assert (selector.seen[avail == 0] < -1e30).all()
    assert actions.shape == ((B, N, A) if kind is OfFACMAC else (B, N))
    assert selector.explores == (not testing if kind is OfFACMAC else None)


def test_facmac_s_learners_get_one_hots_with_a_gradient(monkeypatch: pytest.MonkeyPatch) -> None:
    _, actions, _ = asked(OfFACMAC, monkeypatch, explore=False)

    assert actions.shape == (B, N, A)
    assert actions.requires_grad


def test_others_get_probabilities(monkeypatch: pytest.MonkeyPatch) -> None:
    selector, actions, batch = asked(OfPyMARL, monkeypatch)

    torch.testing.assert_close(selector.seen.sum(dim=-1), torch.ones(B, N))
    assert (selector.seen[batch["avail_actions"][:, 0] == 0] == 0).all()
    assert actions.shape == (B, N)
