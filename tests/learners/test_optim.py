"""Optimisers heed where a gradient's numbers are, not only what they are."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from learners.optim import OPTIMISERS, take_step
from tests.make import make_args


@pytest.mark.parametrize("name", OPTIMISERS)
def test_gradients_may_lie_transposed_in_memory(name: str) -> None:
    """Backward passes leave such; fused Adam by itself reads them as if they did not."""
    start, gradient = torch.randn(5, 7), torch.randn(7, 5).t()
    moved = []
    for given in (gradient, gradient.contiguous()):
        weight = nn.Parameter(start.clone())
        optimiser = OPTIMISERS[name]([weight], 0.1, make_args())
        for _ in range(3):
            copy = given.clone(memory_format=torch.preserve_format)
            take_step(optimiser, [weight], [copy], clip=10.0)
        moved.append(weight.detach())

    assert not gradient.is_contiguous()
    assert torch.equal(*moved)
