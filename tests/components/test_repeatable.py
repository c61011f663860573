"""Actions that are chosen by noise drawn before: as often, and again."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from torch import Tensor

from components.action_heads import build_head
from components.action_selectors import REGISTRY as SELECTORS
from pymarl.selectors import Choosing, choosing
from tests.make import A, N, continuous_args, make_args
from utils.errors import DivergedError

ROWS = 20_000
BOUNDS = {"action_low": [[-1.0] * A] * N, "action_high": [[1.0] * A] * (N - 1) + [[3.0] * A]}


def selector_of(args: Any) -> tuple[Choosing, Any]:
    head = build_head(args)
    return choosing(SELECTORS[args.action_selector](args), head), head


def repeated(selector: Choosing, outputs: Tensor, avail: Tensor, testing: bool = False) -> Tensor:
    """Actions as vectors (b, N, A), which come again."""
    choose = selector.repeatable(avail, t_env=0, testing=testing)
    assert choose is not None
    chosen = choose(outputs)
    assert torch.equal(choose(outputs), chosen)
    return chosen


def some(args: Any, n_outputs: int, rows: int = ROWS) -> tuple[Tensor, Tensor]:
    torch.manual_seed(0)
    avail = (torch.rand(N, args.n_actions) < 0.6).int()
    avail[:, 0] = 1
    outputs = 2 * torch.randn(N, n_outputs)
    return outputs.expand(rows, -1, -1), avail.expand(rows, -1, -1)


def test_actions_are_drawn_as_often() -> None:
    args = make_args(agent_output_type="pi_logits", action_selector="soft_policies")
    selector, _ = selector_of(args)
    outputs, avail = some(args, A)
    found = repeated(selector, outputs, avail).mean(dim=0)
    expected = selector.probabilities(outputs[:1], avail[:1], t_env=0)[0]

    torch.testing.assert_close(found, expected, rtol=0, atol=0.015)
    assert not found[avail[0] == 0].any()


def test_tests_take_the_same_action() -> None:
    settings = {"action_selector": "soft_policies", "test_greedy": True}
    selector, head = selector_of(make_args(agent_output_type="pi_logits", **settings))
    outputs, avail = some(make_args(), A, rows=2)

    found = repeated(selector, outputs, avail, testing=True)
    assert torch.equal(found, head.vector(selector.choose(outputs, avail, 0, testing=True)))


def test_outputs_that_are_no_numbers_choose_nothing() -> None:
    selector, _ = selector_of(
        make_args(agent_output_type="pi_logits", action_selector="soft_policies")
    )
    outputs, avail = some(make_args(), A, rows=2)
    with pytest.raises(DivergedError, match="outputs hold NaN"):
        repeated(selector, outputs * math.nan, avail)


def test_continuous_actions_keep_to_their_agent_s_bounds() -> None:
    args = continuous_args(action_selector="soft_policies", test_greedy=True, **BOUNDS)
    selector, head = selector_of(args)
    outputs, avail = some(args, head.n_outputs)
    drawn, greedy = repeated(selector, outputs, avail), repeated(selector, outputs, avail, True)
    at_once = selector.choose(outputs, avail, 0)

    assert torch.equal(greedy, head.mode(outputs, avail))
    torch.testing.assert_close(drawn.mean(dim=0), at_once.mean(dim=0), rtol=0, atol=0.04)
    torch.testing.assert_close(drawn.std(dim=0), at_once.std(dim=0), rtol=0, atol=0.04)
    assert drawn[:, -1].max() > 1 >= drawn[:, :-1].max()


@pytest.mark.parametrize("name", ["multinomial", "epsilon_greedy", "theirs"])
def test_those_that_draw_otherwise_say_so(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    class Theirs:
        def __init__(self, args: Any) -> None: ...

        def select_action(
            self, values: Tensor, avail: Tensor, t_env: int, test_mode: bool
        ) -> Tensor:
            return values.argmax(dim=2)

    monkeypatch.setitem(SELECTORS, "theirs", Theirs)  # type: ignore[arg-type]
    selector, _ = selector_of(make_args(action_selector=name, agent_output_type="pi_logits"))

    assert selector.repeatable(some(make_args(), A, rows=2)[1], t_env=0) is None
