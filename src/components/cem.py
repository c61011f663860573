"""The cross-entropy method: the best continuous action where none can be read off (COMIX)."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

SAMPLES, ELITES, ROUNDS = 64, 6, 2  # FACMAC's


def search(
    judge: Callable[[Tensor], Tensor], mean: Tensor, samples: int = SAMPLES, rounds: int = ROUNDS
) -> Tensor:
    """The best of the last round's samples, as a number before tanh. (..., A)

    `judge` gives the values (samples, ...) of candidates (samples, ..., A). Rounds draw from a
    Gaussian, first around `mean` (..., A) with spread 1, then as wide as the elite were.
    """
    spread = torch.ones_like(mean)
    for _ in range(rounds):
        candidates = mean + spread * torch.randn(samples, *mean.shape, device=mean.device)
        values = judge(candidates)  # (samples, ...)
        order = values.topk(ELITES, dim=0).indices.unsqueeze(-1)  # (elites, ..., 1)
        elite = candidates.gather(0, order.expand(-1, *mean.shape))
        mean, spread = elite.mean(dim=0), elite.std(dim=0)
    return elite[0]
