"""What drawing actions gives, and how a given value gets a gradient."""

from __future__ import annotations

from typing import NamedTuple

from torch import Tensor


class Drawn(NamedTuple):
    """Actions that a policy draws while it learns."""

    actions: Tensor  # as vectors, differentiable in the outputs (..., A)
    noise: Tensor  # the random numbers that they were drawn with
    outputs: Tensor  # of the networks (..., A)


def straight_through(value: Tensor, along: Tensor) -> Tensor:
    """`value` to the last bit, with the gradient of `along`."""
    return value + (along - along.detach())  # in this order nothing is lost in rounding
