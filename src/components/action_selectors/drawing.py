"""Drawing from given weights, which every selector that samples does."""

from __future__ import annotations

import torch
from torch import Tensor


def draw(weights: Tensor) -> Tensor:
    """Indices with probabilities in proportion to `weights` >= 0. (..., A) -> (...)

    The way and the random numbers of `torch.multinomial`, without its checks, which take as long.
    """
    return (weights / torch.empty_like(weights).exponential_()).argmax(dim=-1)
