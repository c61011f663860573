"""What an agent network's outputs mean as actions: one interface for both kinds.

Learners, selectors and controllers speak to a head and never ask which kind of action there is.
Shapes: outputs (..., A); `avail` (..., A), ignored by continuous actions.
"""

from __future__ import annotations

import math
from types import SimpleNamespace
from typing import Protocol

import torch
from torch import Tensor
from torch.nn import functional as F
from torch.special import log_ndtr

from utils.errors import DivergedError

HALF_LOG_TAU = 0.5 * math.log(2 * math.pi)


class ActionHead(Protocol):
    """The interface."""

    n_outputs: int  # what the agent's network must say for one agent

    def mode(self, outputs: Tensor, avail: Tensor) -> Tensor:
        """The greedy action, as `relaxed` represents actions. (..., A)"""

    def noise(self, outputs: Tensor) -> Tensor:
        """The random numbers that one `relaxed` needs, if any."""

    def relaxed(self, outputs: Tensor, avail: Tensor, noise: Tensor, hard: bool = True) -> Tensor:
        """The policy's action while learning, differentiable in `outputs`. (..., A)"""

    def log_prob(self, outputs: Tensor, avail: Tensor, actions: Tensor) -> Tensor:
        """Log-probability of stored actions. (...)"""

    def entropy(self, outputs: Tensor, avail: Tensor) -> Tensor:
        """Entropy of the policy. (...)"""

    def has_choice(self, avail: Tensor) -> Tensor:
        """Where the policy decides anything: a dead agent's only action is no choice. (...)"""

    def vector(self, actions: Tensor) -> Tensor:
        """Stored actions as `relaxed` represents them. (..., A)"""

    def stored(self, vectors: Tensor) -> Tensor:
        """The inverse of `vector`: what the batch holds. (..., 1 or A)"""

    def differ(self, vectors: Tensor, others: Tensor) -> Tensor | None:
        """Where two actions are not the same (...); None if they never are."""

    def to_played(self, stored: Tensor) -> Tensor:
        """Stored actions as environments and PyMARL's selectors speak of them. (...) or (..., A)"""

    def to_stored(self, played: Tensor) -> Tensor:
        """The inverse of `to_played`."""

    # Choosing. Preferences are what a selector chooses by: values, or what a policy draws from.

    def preferences(self, outputs: Tensor, avail: Tensor, floor: float | None = None) -> Tensor:
        """Raw outputs made fit to choose by; probabilities may be mixed with a uniform `floor`."""

    def most_preferred(self, preferences: Tensor, avail: Tensor) -> Tensor:
        """The greedy action, as it is played."""

    def sample(self, preferences: Tensor, avail: Tensor) -> Tensor:
        """An action drawn from the policy, as it is played."""

    def uniform(self, avail: Tensor) -> Tensor:
        """An action drawn without regard to any policy, as it is stored."""


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

    def relaxed(self, outputs: Tensor, avail: Tensor, noise: Tensor, hard: bool = True) -> Tensor:
        """Gumbel-softmax at temperature 1; `hard` is straight-through: one-hot, soft gradient."""
        # Noise belongs to log-probabilities; softmax does not see their distance from `outputs`.
        soft = torch.softmax(mask_unavailable(outputs + noise, avail), dim=-1)
        if not hard:
            return soft
        chosen = one_hot_of_first_maximum(soft)
        return chosen + (soft - soft.detach())  # in this order the sum is exactly one-hot

    def log_prob(self, outputs: Tensor, avail: Tensor, actions: Tensor) -> Tensor:
        logits = torch.log_softmax(mask_unavailable(outputs, avail), dim=-1)
        return logits.gather(-1, actions).squeeze(-1)

    def entropy(self, outputs: Tensor, avail: Tensor) -> Tensor:
        logits = torch.log_softmax(mask_unavailable(outputs, avail), dim=-1)
        return -(logits.exp() * logits).sum(dim=-1)

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

    def relaxed(self, outputs: Tensor, avail: Tensor, noise: Tensor, hard: bool = True) -> Tensor:
        return self.mode(outputs, avail)

    def explore(self, outputs: Tensor, avail: Tensor) -> Tensor:
        """The action with noise, clamped to the bounds. (..., A)"""
        return self._clamped(self.mode(outputs, avail) + self.spread * torch.randn_like(outputs))

    def log_prob(self, outputs: Tensor, avail: Tensor, actions: Tensor) -> Tensor:
        """Of the Gaussian around the mode, before clamping."""
        apart = (actions - self.mode(outputs, avail)) / self.spread
        constant = math.log(self.spread) + HALF_LOG_TAU
        return self._sum(-0.5 * apart.square() - constant)

    def entropy(self, outputs: Tensor, avail: Tensor) -> Tensor:
        each = HALF_LOG_TAU + 0.5 + math.log(self.spread)
        return self._sum(torch.full_like(outputs, each))

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

    def explore(self, outputs: Tensor, avail: Tensor) -> Tensor:
        mode = self.mode(outputs, avail)
        return self._clamped(mode + self._log_spread(outputs).exp() * torch.randn_like(mode))

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

    def _log_spread(self, outputs: Tensor) -> Tensor:
        raw = outputs.chunk(2, dim=-1)[1]
        return math.log(self.spread) + self.LIMIT * torch.tanh(raw / self.LIMIT)


def build_head(args: SimpleNamespace) -> ActionHead:
    """The head for the environment's kind of actions.

    Continuous policies are deterministic, with noise, unless the selector samples policies.
    """
    if args.action_kind == "continuous":
        stochastic = args.action_selector == "soft_policies"
        head = GaussianHead if stochastic else ContinuousHead
        return head(args.action_low, args.action_high, args.act_noise)
    return DiscreteHead(
        args.n_actions, args.agent_output_type == "pi_logits", args.mask_before_softmax
    )
