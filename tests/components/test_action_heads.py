from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from components.action_heads import ActionHead, build_head
from components.continuous_heads import ContinuousHead, GaussianHead
from components.discrete_head import DiscreteHead, mask_unavailable
from tests.make import A, N, continuous_args, make_args

ROWS = 2000


def discrete() -> tuple[DiscreteHead, torch.Tensor, torch.Tensor]:
    torch.manual_seed(0)
    avail = torch.rand(ROWS, N, A) < 0.6
    avail[..., 0] = True
    return DiscreteHead(A), torch.randn(ROWS, N, A), avail.int()


def continuous() -> tuple[ActionHead, torch.Tensor, torch.Tensor]:
    torch.manual_seed(0)
    return build_head(continuous_args()), torch.randn(ROWS, N, A), torch.ones(ROWS, N, A)


def test_the_environment_decides_which_head() -> None:
    assert isinstance(build_head(make_args()), DiscreteHead)
    assert isinstance(build_head(continuous_args()), ContinuousHead)


@pytest.mark.parametrize("make", [discrete, continuous])
def test_both_heads_share_shapes(make) -> None:  # noqa: ANN001
    head, outputs, avail = make()
    actions = head.relaxed(outputs, avail, head.noise(outputs))
    stored = head.stored(actions)

    assert actions.shape == head.mode(outputs, avail).shape == (ROWS, N, A)
    assert torch.equal(head.vector(stored), actions.detach())
    assert head.log_prob(outputs, avail, stored).shape == (ROWS, N)
    assert head.entropy(outputs, avail).shape == (ROWS, N)


@pytest.mark.parametrize("make", [discrete, continuous])
def test_actions_pass_gradients_to_the_outputs(make) -> None:  # noqa: ANN001
    head, outputs, avail = make()
    outputs.requires_grad_()
    weights = torch.randn(ROWS, N, A)

    (head.relaxed(outputs, avail, head.noise(outputs)) * weights).sum().backward()

    assert outputs.grad is not None
    assert outputs.grad.isfinite().all()
    assert (outputs.grad != 0).any(dim=2).float().mean() > 0.5


def test_discrete_actions_are_single_and_available() -> None:
    head, outputs, avail = discrete()
    for actions in (head.mode(outputs, avail), head.relaxed(outputs, avail, head.noise(outputs))):
        torch.testing.assert_close(actions.sum(dim=2), torch.ones(ROWS, N))
        assert (actions[avail == 0] == 0).all()


def test_ties_go_to_the_first() -> None:
    head = DiscreteHead(3)

    assert head.mode(torch.zeros(1, 3), torch.tensor([[0, 1, 1]])).tolist() == [[0.0, 1.0, 0.0]]


def test_what_is_not_available_gets_the_lowest_number_exactly() -> None:
    values, avail = torch.randn(50, 6) * 1e4, torch.randint(2, (50, 6))
    lowest = torch.finfo(values.dtype).min

    assert torch.equal(mask_unavailable(values, avail), values.masked_fill(avail == 0, lowest))


def test_gumbel_samples_follow_the_softmax() -> None:
    torch.manual_seed(0)
    head, outputs = DiscreteHead(3), torch.tensor([0.0, 1.0, 2.0]).expand(100_000, 3)
    avail = torch.tensor([1, 0, 1])

    frequency = head.relaxed(outputs, avail, head.noise(outputs)).mean(dim=0)

    odds = math.exp(2.0)
    expected = torch.tensor([1 / (1 + odds), 0.0, odds / (1 + odds)])
    torch.testing.assert_close(frequency, expected, atol=0.01, rtol=0)


def test_discrete_log_probabilities_and_entropy_are_those_of_the_masked_softmax() -> None:
    head, outputs, avail = discrete()
    probs = torch.softmax(outputs.masked_fill(avail == 0, -torch.inf), dim=2)
    actions = head.stored(head.mode(outputs, avail))

    taken = probs.gather(2, actions).squeeze(2)
    torch.testing.assert_close(head.log_prob(outputs, avail, actions).exp(), taken)
    by_hand = -(probs * probs.clamp_min(1e-30).log()).sum(dim=2)
    torch.testing.assert_close(head.entropy(outputs, avail), by_hand, atol=1e-5, rtol=1e-5)


def test_continuous_actions_fill_their_bounds() -> None:
    head, _, avail = continuous()

    assert head.mode(torch.full((1, N, A), -50.0), avail).unique().tolist() == [-1.0]
    assert head.mode(torch.full((1, N, A), 50.0), avail).unique().tolist() == [2.0]
    assert head.mode(torch.zeros(1, N, A), avail).unique().tolist() == [0.5]


def test_continuous_log_probabilities_are_those_of_a_normal() -> None:
    head, outputs, avail = continuous()
    actions = torch.rand(ROWS, N, A)
    normal = torch.distributions.Normal(head.mode(outputs, avail), 0.1)

    expected = normal.log_prob(actions).sum(dim=2)
    torch.testing.assert_close(head.log_prob(outputs, avail, actions), expected)
    torch.testing.assert_close(head.entropy(outputs, avail), normal.entropy().sum(dim=2))


def stochastic() -> tuple[GaussianHead, torch.Tensor, torch.Tensor]:
    torch.manual_seed(0)
    head = build_head(continuous_args(action_selector="soft_policies", act_noise=0.8))
    assert isinstance(head, GaussianHead)
    return head, torch.randn(ROWS, N, 2 * A), torch.ones(ROWS, N, A)


def test_continuous_policies_that_are_sampled_have_a_spread_of_their_own() -> None:
    head, outputs, avail = stochastic()
    outputs = outputs[:1, :1].expand(50_000, N, -1).clone()
    outputs[..., :A] = -0.5  # far enough from both bounds
    outputs[..., A:] -= 2.0
    actions = head.explore(outputs, avail)

    spread = 0.8 * (3 * torch.tanh(outputs[0, 0, A:] / 3)).exp()
    torch.testing.assert_close(actions.std(dim=0)[0], spread, rtol=0.02, atol=0)
    torch.testing.assert_close(actions.mean(dim=0), head.mode(outputs, avail)[0], atol=0.02, rtol=0)
    normal = torch.distributions.Normal(head.mode(outputs, avail), spread.expand(50_000, N, A))
    inside = ((actions > -1) & (actions < 2)).all(dim=2)
    assert inside.float().mean() > 0.99
    torch.testing.assert_close(
        head.log_prob(outputs, avail, actions)[inside], normal.log_prob(actions).sum(dim=2)[inside]
    )
    torch.testing.assert_close(head.entropy(outputs, avail), normal.entropy().sum(dim=2))


def test_clamped_actions_have_the_probability_of_their_tail() -> None:
    """Density between the bounds, and two masses on them: one in all."""
    head, outputs, _ = stochastic()
    single = GaussianHead([[-1.0]], [[2.0]], 0.8)
    one = torch.stack([outputs[:200, 0, 0], outputs[:200, 0, A]], dim=1)  # (200, 2)
    avail = torch.ones(200, 1)

    def density(action: torch.Tensor) -> torch.Tensor:
        return single.log_prob(one, avail, action.expand(200, 1)).exp()

    inside = torch.linspace(-1, 2, 20_001)[1:-1]
    area = torch.stack([density(point) for point in inside[::10]]).sum(dim=0) * 3 / 2000
    bounds = density(torch.tensor(-1.0)) + density(torch.tensor(2.0))
    wide = head.spread * (3 * torch.tanh(one[:, 1] / 3)).exp() > 0.05  # for so coarse a sum

    torch.testing.assert_close(
        (area + bounds)[wide], torch.ones(int(wide.sum())), atol=0.01, rtol=0
    )


def test_sampled_actions_keep_within_their_bounds() -> None:
    head, outputs, avail = stochastic()
    actions = head.explore(outputs * 3, avail)

    assert float(actions.min()) == -1.0
    assert float(actions.max()) == 2.0


@pytest.mark.parametrize("kind", [ContinuousHead, GaussianHead])
def test_padded_parts_of_actions_count_nowhere(kind: type[ContinuousHead]) -> None:
    """Humanoid's second agent has 8 of 9: as if its head had 8, and no gradient from the ninth."""
    torch.manual_seed(0)
    plain = kind([[-1.0] * 8], [[1.0] * 8], 0.5)
    padded = kind([[-1.0] * 8 + [0.0]], [[1.0] * 8 + [0.0]], 0.5)
    groups = plain.n_outputs // 8  # modes alone, or modes and spreads
    outputs = torch.randn(ROWS, 1, groups, 9, requires_grad=True)
    whole = outputs.flatten(2)
    part = outputs[..., :8].flatten(2)
    nothing = torch.ones(ROWS, 1, 9)

    for actions in (padded.mode(whole, nothing), padded.explore(whole, nothing)):
        assert not actions[..., 8].any()
    actions = padded.explore(whole, nothing).detach()
    said = padded.log_prob(whole, nothing, actions)
    torch.testing.assert_close(said, plain.log_prob(part, nothing, actions[..., :8]))
    spread = padded.entropy(whole, nothing)
    torch.testing.assert_close(spread, plain.entropy(part, nothing))
    (said + spread + padded.mode(whole, nothing).sum(dim=2)).sum().backward()
    assert not outputs.grad[..., 8].any()
    assert outputs.grad[..., 0, :8].all()


def test_who_has_one_action_has_no_choice() -> None:
    avail = torch.tensor([[1, 0, 0], [0, 1, 1]])

    assert DiscreteHead(3).has_choice(avail).tolist() == [False, True]
    assert ContinuousHead([[0.0]], [[1.0]], 0.1).has_choice(torch.ones(2, 1)).tolist() == [True] * 2


@pytest.mark.parametrize("selector", ["gaussian", "soft_policies"])
def test_bounds_move_to_a_device_once(selector: str) -> None:
    """To copy them there at each call would make a GPU's user wait for it each time."""
    head = build_head(continuous_args(action_selector=selector))
    outputs = torch.empty(ROWS, N, head.n_outputs, device="meta")
    head.mode(outputs, outputs)
    with Copies() as copies:
        actions = head.mode(outputs, outputs)
        head.log_prob(outputs, outputs, actions)
        head.entropy(outputs, outputs)

    assert copies.count == 0


class Copies(TorchDispatchMode):
    """Counts those to other devices."""

    count = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        given, kwargs = args[0] if args else None, kwargs or {}
        to = kwargs.get("device")
        if func is torch.ops.aten._to_copy.default and to not in (None, given.device):
            self.count += 1
        return func(*args, **kwargs)
