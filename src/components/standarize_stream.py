"""Mean and variance of a stream of tensors (the module's spelling is the one that users import)."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class RunningMeanStd(nn.Module):
    """Mean and variance over all values seen so far, without keeping them.

    A module, so that `mean`, `var` and `count` are saved and moved with the learner's networks.
    `epsilon` is the weight of the prior (mean 0, variance 1) that keeps the first variance sane.
    """

    mean: Tensor
    var: Tensor
    count: Tensor

    def __init__(
        self, epsilon: float = 1e-4, shape: tuple[int, ...] = (), device: str = "cpu"
    ) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(shape, device=device))
        self.register_buffer("var", torch.ones(shape, device=device))
        self.register_buffer("count", torch.tensor(epsilon, dtype=torch.float64, device=device))

    def update(self, values: Tensor, mask: Tensor | None = None) -> None:
        """Take in `values` (..., *shape), only those where `mask` (...) is not zero if given."""
        rows = values.reshape(-1, *self.mean.shape)
        if mask is not None:
            rows = rows[mask.reshape(-1) != 0]
        if len(rows):
            self.update_from_moments(rows.mean(0), rows.var(0, unbiased=False), len(rows))

    def update_from_moments(self, batch_mean: Tensor, batch_var: Tensor, batch_count: int) -> None:
        """Take in `batch_count` values of which only mean and variance are known."""
        total = self.count + batch_count
        delta = batch_mean - self.mean
        mean = self.mean + delta * (batch_count / total)
        spread = self.var * self.count + batch_var * batch_count
        spread = spread + delta.square() * (self.count * batch_count / total)
        self.mean.copy_(mean)
        self.var.copy_(spread / total)
        self.count.copy_(total)
