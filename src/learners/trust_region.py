"""Trust-region steps: the natural gradient, as far as a limit on KL allows (Schulman et al. 2015).

Where a policy is, KL(old || new) is zero and flat, and its curvature is the Fisher matrix F. With
the gradient g of the surrogate gain, the step is

    d = sqrt(2 limit / x'Hx) x,   where H x = g,   H = F + damping I,

x by conjugate gradients, and d shortened until the KL itself keeps the limit and the gain is real.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn

from learners.optim import flatten

Closure = Callable[[], Tensor]  # a scalar, computed anew at the parameters as they are
Product = Callable[[Tensor], Tensor]  # of a matrix with a vector
Inner = Callable[[Tensor, Tensor], Tensor]  # of two vectors
SOLVED = 1e-10  # squared residual at which conjugate gradients stand still


class Limits(NamedTuple):
    """How far a step may go, and how its length is looked for."""

    kl: float  # KL(old || new) stays below it
    damping: float  # added to the Fisher matrix's diagonal
    cg_steps: int  # of conjugate gradients
    tries: int  # of the line search
    shrink: float  # a try's length over that of the one before
    accept: float  # least share of the gain that the gradient promises


class TrustStep(NamedTuple):
    """What one step did; gain, divergence and length are zero where no length was acceptable."""

    gain: Tensor
    divergence: Tensor
    length: Tensor  # as a share of d
    grad_norm: Tensor


class TrustRegion:
    """Moves `params` up `gain`, while `divergence` from where they are keeps its limit.

    A vector holds the numbers of all parameters, end to end (P,).
    """

    def __init__(
        self, params: Sequence[nn.Parameter], gain: Closure, divergence: Closure, limits: Limits
    ) -> None:
        self.params, self.gain, self.divergence, self.limits = params, gain, divergence, limits
        self._start = [param.detach().clone() for param in params]

    def step(self) -> TrustStep:
        """One step; the parameters stay as they are, to the last bit, if no length will do."""
        before = self.gain()
        gradient = self.gradient(before)
        x = conjugate_gradients(self.product, gradient, self.limits.cg_steps, self.inner)
        curvature = self.inner(x, self.product(x)).clamp_min(torch.finfo(x.dtype).tiny)
        longest = (2 * self.limits.kl / curvature).sqrt() * x
        return self.search(longest, before.detach(), gradient)

    def product(self, vector: Tensor) -> Tensor:
        """(F + damping I) `vector`, by a central difference of the gradient of KL.

        Networks whose kernels cannot be differentiated twice need nothing more.
        """
        at_most = torch.finfo(vector.dtype).eps ** (1 / 3)  # least error: rounding and curvature
        length = self.inner(vector, vector).sqrt()
        apart = at_most / length.clamp_min(torch.finfo(vector.dtype).tiny)
        ahead, behind = (self._slope(sign * apart * vector) for sign in (1, -1))
        self.put_back()
        return (ahead - behind) / (2 * apart) + self.limits.damping * vector

    def _slope(self, away: Tensor) -> Tensor:
        self.put(away)
        return self.gradient(self.divergence())

    @torch.no_grad()
    def search(self, longest: Tensor, before: Tensor, gradient: Tensor) -> TrustStep:
        """The first acceptable of ever shorter steps."""
        limits, promised, norm = self.limits, self.inner(longest, gradient), gradient.norm()
        for attempt in range(limits.tries):
            length = limits.shrink**attempt
            gain, divergence, will_do = self.tried(length * longest, before, length * promised)
            if bool(will_do):  # a GPU is waited for here alone
                return TrustStep(gain, divergence, torch.full_like(gain, length), norm)
        self.put_back()
        nothing = torch.zeros_like(before)
        return TrustStep(nothing, nothing, nothing, norm)

    def tried(
        self, away: Tensor, before: Tensor, promised: Tensor
    ) -> tuple[Tensor, Tensor, Tensor]:
        """What a step to `away` gains, the divergence there, and whether both are acceptable."""
        self.put(away)
        gain, divergence = self.gain() - before, self.divergence()
        real = (gain > 0) & (gain > self.limits.accept * promised)
        return gain, divergence, real & (divergence < self.limits.kl)  # what is NaN is not

    @torch.no_grad()
    def put(self, away: Tensor) -> None:
        """The parameters to the vector `away` from where they were."""
        for param, start, part in zip(self.params, self._start, self.parts(away), strict=True):
            param.copy_(start + part.reshape(param.shape))

    @torch.no_grad()
    def put_back(self) -> None:
        for param, start in zip(self.params, self._start, strict=True):
            param.copy_(start)

    # Vectors

    def gradient(self, value: Tensor) -> Tensor:
        """Of `value` by all parameters, as a vector."""
        return flat_gradient(value, self.params)

    def parts(self, vector: Tensor) -> Sequence[Tensor]:
        """What of it belongs to each parameter."""
        return vector.split([param.numel() for param in self.params])

    @staticmethod
    def inner(a: Tensor, b: Tensor) -> Tensor:
        return a.dot(b)


def flat_gradient(value: Tensor, params: Sequence[nn.Parameter]) -> Tensor:
    """Zero for parameters that `value` does not depend on. (P,)"""
    return flatten(torch.autograd.grad(value, params, allow_unused=True, materialize_grads=True))


def conjugate_gradients(
    product: Product, target: Tensor, steps: int, inner: Inner = torch.dot
) -> Tensor:
    """x with A x = `target`, for a symmetric A > 0 known by its `product`; exact in P steps."""
    x, residual, direction = torch.zeros_like(target), target, target
    squared = inner(residual, residual)
    for _ in range(steps):
        image = product(direction)
        curvature = inner(direction, image)
        useful = (squared > SOLVED) & (curvature > 0)  # else to stand still; without asking a GPU
        length = torch.where(useful, squared / curvature, 0.0)
        x, residual = x + length * direction, residual - length * image
        remaining = inner(residual, residual)
        direction = residual + torch.where(useful, remaining / squared, 0.0) * direction
        squared = remaining
    return x
