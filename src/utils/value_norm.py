"""Values on the scale of a network: returns of mean 0 and variance 1, whatever the rewards are."""

from __future__ import annotations

from torch import Tensor, nn

from components.standarize_stream import RunningMeanStd


class ValueNorm(nn.Module):
    """Mean and variance of all returns so far. Without an `update` it changes nothing."""

    def __init__(self) -> None:
        super().__init__()
        self.returns = RunningMeanStd()

    def update(self, returns: Tensor, mask: Tensor) -> None:
        self.returns.update(returns, mask)

    def normalise(self, returns: Tensor) -> Tensor:
        return (returns - self.returns.mean) / self._spread()

    def restore(self, normalised: Tensor) -> Tensor:
        """The inverse."""
        return normalised * self._spread() + self.returns.mean

    def _spread(self) -> Tensor:
        return self.returns.var.clamp_min(1e-8).sqrt()
