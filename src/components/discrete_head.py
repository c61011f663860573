"""Discrete actions: outputs are logits, or values, of finitely many."""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn import functional as F

from components.drawn import Drawn
from utils.errors import DivergedError


def draw(weights: Tensor) -> Tensor:
    """Indices with probabilities in proportion to `weights` >= 0. (..., A) -> (...)

    The way and the random numbers of `torch.multinomial`, whose checks take as long.
    """
    if not math.isfinite(float(weights.sum())):
        raise DivergedError("The policy's probabilities hold")
    return (weights / torch.empty_like(weights).exponential_()).argmax(dim=-1)


def mask_unavailable(values: Tensor, avail: Tensor) -> Tensor:
    """`values` where available, else the lowest number of their dtype.

    Added to it, any ordinary number is lost in rounding; to fill by a mask is five times slower.
    """
    return values + (avail == 0).to(values.dtype) * torch.finfo(values.dtype).min


def one_hot_of_first_maximum(values: Tensor) -> Tensor:
    """Ties go to the first, so the result is always a single action."""
    return torch.zeros_like(values).scatter_(-1, values.argmax(dim=-1, keepdim=True), 1)


def straight_through(value: Tensor, along: Tensor) -> Tensor:
    """`value` to the last bit, with the gradient of `along`."""
    return value + (along - along.detach())  # in this order nothing is lost in rounding


class DiscreteHead:
    """Outputs are logits over A actions, or values of them; stored are indices (..., 1).

    `logits` says which, and `masked` whether what is unavailable has any probability.
    """

    def __init__(self, n_actions: int, logits: bool = True, masked: bool = True) -> None:
        self.n_actions = self.n_outputs = n_actions
        self._logits, self._masked = logits, masked

    def mode(self, outputs: Tensor, avail: Tensor) -> Tensor:
        return one_hot_of_first_maximum(mask_unavailable(outputs, avail))

    def noise(self, outputs: Tensor) -> Tensor:
        """Gumbel(0, 1): -log(-log u). `exponential_` would take seven times as long as u."""
        uniform = torch.rand_like(outputs).clamp_(min=torch.finfo(outputs.dtype).tiny)
        return uniform.log_().neg_().log_().neg_()

    def draw(self, outputs: Tensor, avail: Tensor, noise: Tensor | None, hard: bool) -> Drawn:
        noise = self.noise(outputs) if noise is None else noise
        return Drawn(self.relaxed(outputs, avail, noise, hard), noise, outputs)

    def relaxed(self, outputs: Tensor, avail: Tensor, noise: Tensor, hard: bool = True) -> Tensor:
        """Gumbel-softmax at temperature 1; `hard` is straight-through: one-hot, soft gradient."""
        # Noise belongs to log-probabilities; softmax does not see their distance from `outputs`.
        soft = torch.softmax(mask_unavailable(outputs + noise, avail), dim=-1)
        if not hard:
            return soft
        return straight_through(one_hot_of_first_maximum(soft), soft)

    def retraced(self, outputs: Tensor, avail: Tensor, actions: Tensor) -> Tensor:
        noise = self.noise_given(outputs, avail, actions)
        soft = self.relaxed(outputs, avail, noise, hard=False)
        return straight_through(self.vector(actions).to(soft), soft)

    @torch.no_grad()
    def noise_given(self, outputs: Tensor, avail: Tensor, actions: Tensor) -> Tensor:
        """Gumbel noise under which stored `actions` are the largest sums of outputs and noise.

        The largest of all sums is a Gumbel variable whichever action it belongs to; the others are
        Gumbel variables below it (Maddison et al. 2014). (..., A)
        """
        logits = torch.log_softmax(mask_unavailable(outputs, avail), dim=-1)
        free = self.noise(outputs)
        largest = free.gather(-1, actions)  # normalised logits: its location is 0. (..., 1)
        below = -torch.logaddexp(logits - largest, -free)
        return below.scatter(-1, actions, largest - logits.gather(-1, actions))

    def log_prob(self, outputs: Tensor, avail: Tensor, actions: Tensor) -> Tensor:
        logits = torch.log_softmax(mask_unavailable(outputs, avail), dim=-1)
        return logits.gather(-1, actions).squeeze(-1)

    def entropy(self, outputs: Tensor, avail: Tensor) -> Tensor:
        logits = torch.log_softmax(mask_unavailable(outputs, avail), dim=-1)
        return -(logits.exp() * logits).sum(dim=-1)

    def kl(self, p: Tensor, q: Tensor, avail: Tensor) -> Tensor:
        p = torch.log_softmax(mask_unavailable(p, avail), dim=-1)
        q = torch.log_softmax(mask_unavailable(q, avail), dim=-1)
        return (p.exp() * (p - q)).sum(dim=-1)

    def of(self, agent: int) -> DiscreteHead:
        return self

    def has_choice(self, avail: Tensor) -> Tensor:
        return avail.sum(dim=-1) > 1

    def vector(self, actions: Tensor) -> Tensor:
        return F.one_hot(actions.squeeze(-1), self.n_actions).to(torch.get_default_dtype())

    def stored(self, vectors: Tensor) -> Tensor:
        return vectors.argmax(dim=-1, keepdim=True)

    def differ(self, vectors: Tensor, others: Tensor) -> Tensor | None:
        return vectors.argmax(dim=-1) != others.argmax(dim=-1)

    def to_played(self, stored: Tensor) -> Tensor:
        return stored.squeeze(-1)

    def to_stored(self, played: Tensor) -> Tensor:
        return played.unsqueeze(-1)

    def preferences(self, outputs: Tensor, avail: Tensor, floor: float | None = None) -> Tensor:
        if not self._logits:
            return outputs
        masked = self._masked
        probs = torch.softmax(mask_unavailable(outputs, avail) if masked else outputs, dim=-1)
        if floor is None:
            return probs
        choices = avail.sum(dim=-1, keepdim=True) if masked else outputs.shape[-1]
        probs = (1 - floor) * probs + floor / choices
        return probs.masked_fill(avail == 0, 0.0) if masked else probs

    def most_preferred(self, preferences: Tensor, avail: Tensor) -> Tensor:
        """An unavailable action loses even where all probabilities have underflowed."""
        return preferences.masked_fill(avail == 0, -1.0).argmax(dim=-1)

    def sample(self, preferences: Tensor, avail: Tensor) -> Tensor:
        tiny = torch.finfo(preferences.dtype).tiny
        return draw(preferences.clamp_min(tiny).masked_fill(avail == 0, 0.0))

    def uniform(self, avail: Tensor) -> Tensor:
        return draw(avail.float()).unsqueeze(-1)
