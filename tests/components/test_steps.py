"""Steps without padding are the same steps."""

from __future__ import annotations

import torch

from components.steps import Steps

MASK = torch.tensor([[1.0, 1, 0], [1, 0, 0], [1, 1, 1]]).unsqueeze(2)  # (B, T, 1)


def test_valid_steps_are_laid_end_to_end() -> None:
    values = torch.arange(9.0).reshape(3, 3, 1).expand(3, 3, 2)
    taken = Steps(MASK).take(values)

    assert taken.shape == (1, 6, 2)
    assert taken[0, :, 0].tolist() == [0, 1, 3, 6, 7, 8]


def test_putting_back_leaves_zeros_for_padding() -> None:
    steps, values = Steps(MASK), torch.randn(3, 3, 4)

    assert torch.equal(steps.put(steps.take(values)), values * MASK)


def test_nothing_is_copied_where_there_is_no_padding() -> None:
    values = torch.randn(3, 3, 4)

    assert Steps(torch.ones(3, 3, 1)).take(values) is values
    assert Steps(MASK, keep_padding=True).take(values) is values


def test_means_are_over_the_steps_that_count() -> None:
    values = torch.randn(3, 3, 2)
    valid, everything = Steps(MASK), Steps(MASK, keep_padding=True)

    torch.testing.assert_close(valid.mean(valid.take(values)), (values * MASK).sum() / 6)
    torch.testing.assert_close(everything.mean(values), values.sum() / 9)
