"""Continuous actions: outputs pass through tanh into the bounds."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable

import torch
from torch import Tensor
from torch.special import log_ndtr

from components.discrete_head import straight_through
from components.drawn import Drawn

HALF_LOG_TAU = 0.5 * math.log(2 * math.pi)


class ContinuousHead:
    """A deterministic policy: outputs pass through tanh into the bounds.

    Exploration adds Gaussian noise of spread `act_noise`, and as a density it is that Gaussian.
    Parts whose bounds are equal are padding: always at their bound, and in no density or entropy.
    """

    def __init__(self, low: list[list[float]], high: list[list[float]], spread: float) -> None:
        bounds = torch.tensor(low), torch.tensor(high)  # (N, A) each
        self.low, self.high, self.spread = *bounds, spread
        self.n_outputs = len(low[0])

    def mode(self, outputs: Tensor, avail: Tensor) -> Tensor:
        low, high = self._bounds(outputs)
        return low + (high - low) * (torch.tanh(outputs) + 1) / 2

    def noise(self, outputs: Tensor) -> Tensor:
        return outputs.new_empty(0)

    def draw(self, outputs: Tensor, avail: Tensor, noise: Tensor | None, hard: bool) -> Drawn:
        noise = self.noise(outputs) if noise is None else noise
        return Drawn(self.relaxed(outputs, avail, noise, hard), noise, outputs)

    def relaxed(self, outputs: Tensor, avail: Tensor, noise: Tensor, hard: bool = True) -> Tensor:
        return self.mode(outputs, avail)

    def explore(self, outputs: Tensor, avail: Tensor, noise: Tensor | None = None) -> Tensor:
        """The action with normal noise, clamped to the bounds. (..., A)"""
        mode = self.mode(outputs, avail)
        noise = torch.randn_like(mode) if noise is None else noise
        return self._clamped(mode + self.spread * noise)

    def log_prob(self, outputs: Tensor, avail: Tensor, actions: Tensor) -> Tensor:
        """Of the Gaussian around the mode, before clamping."""
        apart = (actions - self.mode(outputs, avail)) / self.spread
        constant = math.log(self.spread) + HALF_LOG_TAU
        return self._sum(-0.5 * apart.square() - constant)

    def entropy(self, outputs: Tensor, avail: Tensor) -> Tensor:
        each = HALF_LOG_TAU + 0.5 + math.log(self.spread)
        return self._sum(torch.full_like(outputs, each))

    def kl(self, p: Tensor, q: Tensor, avail: Tensor) -> Tensor:
        """Of the Gaussians around the modes, before clamping."""
        apart = (self.mode(p, avail) - self.mode(q, avail)) / self.spread
        return self._sum(0.5 * apart.square())

    def retraced(self, outputs: Tensor, avail: Tensor, actions: Tensor) -> Tensor:
        return straight_through(actions, self.mode(outputs, avail))

    def of(self, agent: int) -> ContinuousHead:
        one = copy.copy(self)
        one.low, one.high = self.low[agent : agent + 1], self.high[agent : agent + 1]  # (1, A)
        return one

    def has_choice(self, avail: Tensor) -> Tensor:
        return torch.ones_like(avail[..., 0], dtype=torch.bool)

    def vector(self, actions: Tensor) -> Tensor:
        return actions

    def stored(self, vectors: Tensor) -> Tensor:
        return vectors

    def differ(self, vectors: Tensor, others: Tensor) -> Tensor | None:
        return None

    def to_played(self, stored: Tensor) -> Tensor:
        return stored

    def to_stored(self, played: Tensor) -> Tensor:
        return played

    def preferences(self, outputs: Tensor, avail: Tensor, floor: float | None = None) -> Tensor:
        return outputs

    def most_preferred(self, preferences: Tensor, avail: Tensor) -> Tensor:
        return self.mode(preferences, avail)

    def sample(self, preferences: Tensor, avail: Tensor) -> Tensor:
        return self.explore(preferences, avail)

    def repeatable(self, avail: Tensor, greedy: bool) -> Callable[[Tensor], Tensor]:
        noise = torch.randn(len(avail), *self.low.shape, device=avail.device)  # (b, N, A)
        if greedy:
            return lambda outputs: self.mode(outputs, avail)
        return lambda outputs: self.explore(outputs, avail, noise)

    def uniform(self, avail: Tensor) -> Tensor:
        low, high = self.low.cpu(), self.high.cpu()
        return low + (high - low) * torch.rand(len(avail), *low.shape)

    def _sum(self, parts: Tensor) -> Tensor:
        """Over an action's parts, without padding: (..., N, A) -> (..., N)."""
        low, high = self._bounds(parts)
        return (parts * (high > low).to(parts)).sum(dim=-1)

    def _clamped(self, actions: Tensor) -> Tensor:
        low, high = self._bounds(actions)
        return torch.minimum(torch.maximum(actions, low), high)

    def _bounds(self, values: Tensor) -> tuple[Tensor, Tensor]:
        """Where `values` are, and of their kind. Moved there once, for a GPU is waited for."""
        if self.low.device != values.device:
            self.low, self.high = self.low.to(values.device), self.high.to(values.device)
        return self.low.to(values.dtype), self.high.to(values.dtype)


class GaussianHead(ContinuousHead):
    """A stochastic policy: a normal around the mode, clamped to the bounds.

    Outputs (..., 2A) are modes before tanh, then logarithms of the spread in units of `spread`,
    softly kept within `LIMIT`. What is stored is the clamped action, so a bound has the probability
    of the whole tail behind it; everything between has the normal's density.
    """

    LIMIT = 3.0

    def __init__(self, low: list[list[float]], high: list[list[float]], spread: float) -> None:
        super().__init__(low, high, spread)
        self.n_outputs = 2 * self.n_outputs

    def mode(self, outputs: Tensor, avail: Tensor) -> Tensor:
        return super().mode(outputs.chunk(2, dim=-1)[0], avail)

    def explore(self, outputs: Tensor, avail: Tensor, noise: Tensor | None = None) -> Tensor:
        mode = self.mode(outputs, avail)
        noise = torch.randn_like(mode) if noise is None else noise
        return self._clamped(mode + self._log_spread(outputs).exp() * noise)

    def log_prob(self, outputs: Tensor, avail: Tensor, actions: Tensor) -> Tensor:
        log_spread = self._log_spread(outputs)
        apart = (actions - self.mode(outputs, avail)) / log_spread.exp()
        density = -0.5 * apart.square() - log_spread - HALF_LOG_TAU
        low, high = self._bounds(actions)
        below = torch.where(actions <= low, log_ndtr(apart), density)
        return self._sum(torch.where(actions >= high, log_ndtr(-apart), below))

    def entropy(self, outputs: Tensor, avail: Tensor) -> Tensor:
        """Of the normal before clamping."""
        return self._sum(self._log_spread(outputs) + HALF_LOG_TAU + 0.5)

    def kl(self, p: Tensor, q: Tensor, avail: Tensor) -> Tensor:
        """Of the normals before clamping, which can only bring the policies together."""
        log_spread = self._log_spread(q)
        apart = (self.mode(p, avail) - self.mode(q, avail)) / log_spread.exp()
        wider = 2 * (self._log_spread(p) - log_spread)  # log of the variances' ratio
        return self._sum(0.5 * (apart.square() + torch.expm1(wider) - wider))

    def retraced(self, outputs: Tensor, avail: Tensor, actions: Tensor) -> Tensor:
        """On a bound, with the least of the noise that leads there."""
        mode, spread = self.mode(outputs, avail), self._log_spread(outputs).exp()
        noise = ((actions - mode) / spread).detach()
        return straight_through(actions, mode + spread * noise)

    def _log_spread(self, outputs: Tensor) -> Tensor:
        raw = outputs.chunk(2, dim=-1)[1]
        return math.log(self.spread) + self.LIMIT * torch.tanh(raw / self.LIMIT)
