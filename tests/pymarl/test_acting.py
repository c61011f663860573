"""Controllers of other repositories act, or say why not."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import Tensor

from pymarl.acting import Acting
from tests.make import A, B, N, make_args, make_batch
from utils.errors import UserError


def asked(mac: Any, **options: Any) -> Tensor:
    args = make_args(**options.pop("args", {}))
    return Acting(mac, args).choose(mac, make_batch(args), 0, 7, **options)


class OneHots:
    """FACMAC's way: one-hots, and told whether to explore."""

    def select_actions(
        self,
        ep_batch: Any,
        t_ep: int,
        t_env: int,
        bs: Any = slice(None),
        test_mode: bool = False,
        explore: bool = False,
    ) -> Tensor:
        self.explore = explore
        return torch.eye(A)[torch.arange(B * N).reshape(B, N) % A][bs]


@pytest.mark.parametrize("testing", [True, False])
def test_one_hots_become_indices_and_exploring_is_said(testing: bool) -> None:
    mac = OneHots()

    actions = asked(mac, rows=[1, 2], testing=testing)

    assert torch.equal(actions, (torch.arange(B * N).reshape(B, N) % A)[[1, 2]])
    assert mac.explore is not testing


def test_a_controller_that_knows_no_rows_answers_for_some() -> None:
    class Whole:
        def select_actions(
            self, ep_batch: Any, t_ep: int, t_env: int = 0, test_mode: bool = False
        ) -> Tensor:
            return torch.arange(B * N).reshape(B, N)

    assert asked(Whole(), rows=[0, 3]).tolist() == [[0, 1, 2], [9, 10, 11]]


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        ((torch.zeros(B, N), torch.zeros(B, N, A)), "a tuple of 2"),
        ({"actions": torch.zeros(B, N)}, "a dict of actions"),
        (torch.zeros(B, N), r"a tensor \(4, 3\) of torch.float32"),
        (torch.zeros(B, N + 1, dtype=torch.long), r"a tensor \(4, 4\)"),
    ],
)
def test_what_is_no_action_is_refused(answer: object, told: str) -> None:
    mac = SimpleNamespace(select_actions=lambda *given, **named: answer)

    with pytest.raises(UserError, match=f"mac=basic_mac gave {told}"):
        asked(mac)


def test_continuous_actions_stay_vectors() -> None:
    mac = SimpleNamespace(select_actions=lambda *given, **named: torch.ones(B, N, A))
    bounds = {"action_low": [[-1.0] * A] * N, "action_high": [[1.0] * A] * N}
    args = make_args(action_kind="continuous", **bounds)

    assert Acting(mac, args).choose(mac, make_batch(args), 0, 0).shape == (B, N, A)
