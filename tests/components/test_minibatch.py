"""Steps without padding are the same steps."""

from __future__ import annotations

import pytest
import torch

from components.minibatch import Minibatch, Slots, Steps, valid_steps
from tests.make import make_args, make_batch

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
        assert Slots(steps, MASK).take(values) is values


def test_a_round_number_of_steps_repeats_the_first_which_does_not_count_again() -> None:
    values = torch.randn(3, 4, 2)  # (B, T+1, X)
    steps, plain = Steps(MASK, round_up=lambda n: -(-n // 8) * 8), Steps(MASK)
    slots, plain_slots = Slots(steps, MASK), Slots(plain, MASK)
    taken, reached = steps.take(values), slots.take(values)

    assert taken.shape == (1, 8, 2)
    assert torch.equal(taken[:, :6], plain.take(values))
    assert steps.mask.flatten().tolist() == [1] * 6 + [0] * 2
    assert torch.equal(steps.put(taken), plain.put(plain.take(values)))
    assert reached.shape == (1, 16, 2)
    assert torch.equal(reached[:, :9], plain_slots.take(values))
    assert torch.equal(reached[:, slots.now][:, :6], plain.take(values))
    following = reached[:, slots.next]
    assert following.shape == taken.shape
    assert torch.equal(following[:, :6], plain.take(values, first=1))
    previous = slots.take_previous(values)
    assert previous.shape == reached.shape
    assert torch.equal(previous[:, :9], plain_slots.take_previous(values))


@pytest.mark.parametrize("keep_padding", [False, True])
def test_slots_reach_one_further_than_the_steps(keep_padding: bool) -> None:
    steps = Steps(MASK, keep_padding)
    slots = Slots(steps, torch.ones_like(MASK) if keep_padding else MASK)
    values = torch.arange(12.0).reshape(3, 4, 1)  # (B, T+1, 1)
    reached = slots.take(values)

    assert torch.equal(reached[:, slots.now], steps.take(values))
    assert torch.equal(reached[:, slots.next], steps.take(values, first=1))
    assert torch.equal(slots.take_previous(values)[:, slots.next], steps.take(values))
    assert (slots.take_previous(values)[:, slots.now][:, 0] == 0).all()


def test_slots_say_how_many_episodes_reach_them() -> None:
    assert Slots(Steps(MASK), MASK).running == [3, 3, 2, 1]


def test_an_episode_with_a_gap_stays_in_place_and_is_masked() -> None:
    mask = torch.tensor([[1.0, 0, 1], [1, 1, 0]]).unsqueeze(2)
    steps = Steps(mask)
    slots = Slots(steps, mask)
    values = torch.arange(8.0).reshape(2, 4, 1)

    assert slots.running is None
    assert torch.equal(values[:, slots.now], steps.take(values))
    assert torch.equal(values[:, slots.next], steps.take(values, first=1))
    assert torch.equal(steps.mask, mask)


@pytest.mark.parametrize("keep_padding", [False, True])
def test_a_minibatch_holds_each_step_s_slot_and_the_one_after_it(keep_padding: bool) -> None:
    batch = make_batch(make_args())
    minibatch, T = Minibatch(batch, keep_padding), batch.max_seq_length - 1
    mask = valid_steps(batch["filled"], batch["terminated"])
    steps = Steps(mask, keep_padding)

    assert torch.equal(minibatch.valid, mask)
    assert torch.equal(minibatch.mask, steps.mask)
    for name, field in {"obs": "obs", "state": "state", "avail": "avail_actions"}.items():
        now, next = batch[field][:, :T], batch[field][:, 1:]
        assert torch.equal(getattr(minibatch.now, name), steps.take(now))
        assert torch.equal(getattr(minibatch.next, name), steps.take(next))
    for name in ("actions", "reward", "terminated"):
        assert torch.equal(getattr(minibatch, name), steps.take(batch[name][:, :T]))
