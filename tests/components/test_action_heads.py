from __future__ import annotations

import math

import pytest
import torch

from components.action_heads import ActionHead, ContinuousHead, DiscreteHead, build_head
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
