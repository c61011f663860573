"""What drawing actions gives."""

from __future__ import annotations

from typing import NamedTuple

from torch import Tensor


class Drawn(NamedTuple):
    """Actions that a policy draws while it learns."""

    actions: Tensor  # as vectors, differentiable in the outputs (..., A)
    noise: Tensor  # the random numbers that they were drawn with
    outputs: Tensor  # of the networks (..., A)
