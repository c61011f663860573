"""Drawing from given weights, which every selector that samples does."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from utils.errors import DivergedError


def draw(weights: Tensor) -> Tensor:
    """Indices with probabilities in proportion to `weights` >= 0. (..., A) -> (...)

    The way and the random numbers of `torch.multinomial`, whose checks take as long.
    """
    if not math.isfinite(float(weights.sum())):
        raise DivergedError("The policy's probabilities hold")
    return (weights / torch.empty_like(weights).exponential_()).argmax(dim=-1)
