"""Steps without padding are the same steps."""

from __future__ import annotations

import pytest
import torch

from components.steps import Steps

MASK = torch.tensor([[1.0, 1, 0], [1, 0, 0], [1, 1, 1]]).unsqueeze(2)  # (B, T, 1)


def test_valid_steps_are_laid_end_to_end() -> None:
    values = torch.arange(9.0).reshape(3, 3, 1).expand(3, 3, 2)
    taken = Steps(MASK).take(values)

    assert taken.shape == (1, 6, 2)
    assert taken[0, :, 0].tolist() == [6, 0, 3, 7, 1, 8]  # slot by slot, longest episode first


def test_putting_back_leaves_zeros_for_padding() -> None:
    steps, values = Steps(MASK), torch.randn(3, 3, 4)

    assert torch.equal(steps.put(steps.take(values)), values * MASK)


def test_nothing_is_copied_where_there_is_no_padding() -> None:
    values = torch.randn(3, 3, 4)

    for steps in (Steps(torch.ones(3, 3, 1)), Steps(MASK, keep_padding=True)):
        assert steps.take(values).data_ptr() == values.data_ptr()
        assert steps.slots.take(values) is values


def test_means_are_over_the_steps_that_count() -> None:
    values = torch.randn(3, 3, 2)
    valid, everything = Steps(MASK), Steps(MASK, keep_padding=True)

    torch.testing.assert_close(valid.mean(valid.take(values)), (values * MASK).sum() / 6)
    torch.testing.assert_close(everything.mean(values), values.sum() / 9)


def test_a_round_number_of_steps_repeats_the_first_which_does_not_count_again() -> None:
    values = torch.randn(3, 4, 2)  # (B, T+1, X)
    steps, plain = Steps(MASK, round_up=lambda n: -(-n // 8) * 8), Steps(MASK)
    taken, reached = steps.take(values), steps.slots.take(values)

    assert taken.shape == (1, 8, 2)
    assert torch.equal(taken[:, :6], plain.take(values))
    assert steps.mask.flatten().tolist() == [1] * 6 + [0] * 2
    assert torch.equal(steps.put(taken), plain.put(plain.take(values)))
    torch.testing.assert_close(steps.mean(taken), plain.mean(plain.take(values)))
    assert reached.shape == (1, 16, 2)
    assert torch.equal(reached[:, :9], plain.slots.take(values))
    assert torch.equal(steps.slots.now(reached)[:, :6], plain.take(values))
    following = steps.slots.following(reached)
    assert following.shape == taken.shape
    assert torch.equal(following[:, :6], plain.take(values, first=1))
    previous = steps.slots.take_previous(values)
    assert previous.shape == reached.shape
    assert torch.equal(previous[:, :9], plain.slots.take_previous(values))


@pytest.mark.parametrize("keep_padding", [False, True])
def test_slots_reach_one_further_than_the_steps(keep_padding: bool) -> None:
    steps = Steps(MASK, keep_padding)
    values = torch.arange(12.0).reshape(3, 4, 1)  # (B, T+1, 1)
    reached = steps.slots.take(values)

    assert torch.equal(steps.slots.now(reached), steps.take(values))
    assert torch.equal(steps.slots.following(reached), steps.take(values, first=1))
    assert torch.equal(steps.slots.following(steps.slots.take_previous(values)), steps.take(values))
    assert (steps.slots.now(steps.slots.take_previous(values))[:, 0] == 0).all()


def test_slots_say_how_many_episodes_reach_them() -> None:
    assert Steps(MASK).slots.running == [3, 3, 2, 1]


def test_an_episode_with_a_gap_is_run_through_in_place() -> None:
    steps = Steps(torch.tensor([[1.0, 0, 1], [1, 1, 0]]).unsqueeze(2))
    values = torch.arange(8.0).reshape(2, 4, 1)

    assert steps.slots.running is None
    assert steps.slots.now(values).flatten().tolist() == steps.take(values).flatten().tolist()
    assert steps.take(values).numel() == 4
