from __future__ import annotations

import pytest
import torch
from torch import Tensor

from components.minibatch import valid_steps
from learners import advantages, returns
from learners.advantages import gae
from learners.returns import td_lambda_returns
from utils import rl_utils

B, T, GAMMA, LAMBDA = 4, 6, 0.9, 0.7


def plain_recursion(rewards: Tensor, terminated: Tensor, mask: Tensor, target_qs: Tensor) -> Tensor:
    """The recursion as the contract writes it, without regard to episode lengths."""
    returns = torch.zeros_like(target_qs)
    returns[:, -1] = target_qs[:, -1] * (1 - terminated.sum(1))
    for t in reversed(range(T)):
        returns[:, t] = LAMBDA * GAMMA * returns[:, t + 1] + mask[:, t] * (
            rewards[:, t] + (1 - LAMBDA) * GAMMA * target_qs[:, t + 1] * (1 - terminated[:, t])
        )
    return returns[:, :-1]


def targets(rewards: Tensor, terminated: Tensor, mask: Tensor, target_qs: Tensor) -> Tensor:
    return td_lambda_returns(rewards, terminated, mask, target_qs, GAMMA, LAMBDA)


def random_inputs(width: int = 1) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    torch.manual_seed(0)
    filled = torch.ones(B, T + 1, 1, dtype=torch.long)
    return torch.randn(B, T, 1), torch.zeros(B, T, 1), filled, torch.randn(B, T + 1, width)


def test_full_episodes_equal_the_plain_recursion() -> None:
    rewards, terminated, filled, target_qs = random_inputs(width=2)
    terminated[:2, -1] = 1
    mask = valid_steps(filled, terminated)
    torch.testing.assert_close(
        targets(rewards, terminated, mask, target_qs),
        plain_recursion(rewards, terminated, mask, target_qs),
        rtol=1e-6,
        atol=1e-6,
    )


def test_terminal_episodes_of_any_length_equal_the_plain_recursion() -> None:
    rewards, terminated, filled, target_qs = random_inputs()
    for row, length in enumerate((1, 3, 5, 6)):
        terminated[row, length - 1] = 1
        rewards[row, length:] = 0
        filled[row, length + 1 :] = 0
    mask = valid_steps(filled, terminated)
    assert mask.sum((1, 2)).tolist() == [1, 3, 5, 6]
    torch.testing.assert_close(
        targets(rewards, terminated, mask, target_qs),
        plain_recursion(rewards, terminated, mask, target_qs),
        rtol=1e-6,
        atol=1e-6,
    )


def test_a_cut_episode_is_worth_the_same_with_and_without_padding() -> None:
    rewards, terminated, filled, target_qs = random_inputs()
    length = 3
    short = targets(
        rewards[:, :length],
        terminated[:, :length],
        valid_steps(filled[:, : length + 1], terminated[:, :length]),
        target_qs[:, : length + 1],
    )
    filled[:, length + 1 :] = 0
    padded = targets(rewards, terminated, valid_steps(filled, terminated), target_qs)
    assert torch.equal(padded[:, :length], short)


def test_lambda_zero_is_the_one_step_target() -> None:
    rewards, terminated, filled, target_qs = random_inputs()
    mask = valid_steps(filled, terminated)
    found = td_lambda_returns(rewards, terminated, mask, target_qs, GAMMA, 0.0)
    torch.testing.assert_close(found, rewards + GAMMA * target_qs[:, 1:])


def test_pymarl_s_function_takes_a_last_slot_that_does_not_count() -> None:
    rewards, terminated, filled, target_qs = random_inputs()
    mask = valid_steps(filled, terminated)
    longer = [torch.cat([part, torch.ones(B, 1, 1)], dim=1) for part in (rewards, terminated, mask)]

    found = rl_utils.build_td_lambda_targets(*longer, target_qs, 3, GAMMA, LAMBDA)

    assert torch.equal(found, targets(rewards, terminated, mask, target_qs))


def test_q_lambda_adds_what_greedy_actions_are_worth_more() -> None:
    """PyMARL2's, by its recursion; with greedy actions alone it is TD(lambda)."""
    rewards, terminated, filled, values = random_inputs()
    mask, taken = valid_steps(filled, terminated), torch.randn(B, T + 1, 1)
    steps = rewards, terminated, mask

    found = rl_utils.build_q_lambda_targets(*steps, values, taken, GAMMA, LAMBDA)
    greedy = rl_utils.build_q_lambda_targets(*steps, values, values, GAMMA, LAMBDA)

    corrected = rewards + values[:, :-1] - taken[:, :-1]
    torch.testing.assert_close(found, plain_recursion(corrected, terminated, mask, values))
    torch.testing.assert_close(greedy, targets(*steps, values))


def test_lambda_one_is_the_discounted_return() -> None:
    rewards, terminated, filled, target_qs = random_inputs()
    mask = valid_steps(filled, terminated)
    found = td_lambda_returns(rewards, terminated, mask, target_qs, GAMMA, 1.0)
    discounts = GAMMA ** torch.arange(T)
    expected = (rewards[:, :, 0] * discounts).sum(1) + GAMMA**T * target_qs[:, -1, 0]
    torch.testing.assert_close(found[:, 0, 0], expected)


def test_a_step_counts_if_its_successor_is_there_and_nothing_ended_before() -> None:
    filled = torch.tensor([[1, 1, 1, 1], [1, 1, 1, 0], [1, 1, 1, 1], [0, 0, 0, 0]])[:, :, None]
    terminated = torch.tensor([[0, 0, 1], [0, 0, 0], [0, 1, 0], [0, 0, 0]])[:, :, None]
    mask = valid_steps(filled, terminated.to(torch.uint8))
    assert mask[:, :, 0].tolist() == [[1, 1, 1], [1, 1, 0], [1, 1, 0], [0, 0, 0]]


@pytest.mark.parametrize("slots", [1, 2, 5, 8, 13])
def test_all_slots_at_once_are_the_loop_over_slots(
    slots: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    torch.manual_seed(0)
    lengths = torch.randint(1, slots + 1, (B, 1))
    mask = (torch.arange(slots) < lengths).float().unsqueeze(2)  # (B, T, 1)
    ends = (torch.arange(slots) == lengths - 1).float().unsqueeze(2) * torch.tensor([1, 0, 1, 0.0])[
        :, None, None
    ]
    steps = torch.randn(B, slots, 1), ends, mask
    values, trace = torch.randn(B, slots + 1, 2), torch.rand(B, slots, 2)

    def found() -> list[Tensor]:
        return [
            td_lambda_returns(*steps, values, GAMMA, LAMBDA),
            gae(*steps, values, GAMMA, LAMBDA),
            gae(*steps, values, GAMMA, LAMBDA, trace),
        ]

    in_a_loop = found()
    for module in (returns, advantages):
        monkeypatch.setattr(module, "at_once", lambda values: True)

    torch.testing.assert_close(found(), in_a_loop, rtol=1e-6, atol=1e-6)
