"""Advantages and returns of on-policy learners."""

from __future__ import annotations

import torch
from torch import Tensor

from learners.returns import ahead, at_once, by_doubling


def gae(
    rewards: Tensor,
    terminated: Tensor,
    mask: Tensor,
    values: Tensor,
    gamma: float,
    lam: float,
    trace: Tensor | None = None,
) -> Tensor:
    """Generalised advantages (B, T, X) from values (B, T + 1, X) and the rest (B, T, 1).

    A_t = delta_t + gamma lam c_(t+1) A_(t+1),
    delta_t = r_t + gamma (1 - terminated_t) V_(t+1) - V_t,   c = `trace`, or 1

    The sum ends with the episode, where the next slot's `mask` is 0; the last step of an episode
    that was cut still looks at V of the slot after it.
    """
    deltas = rewards + gamma * (1 - terminated) * values[:, 1:] - values[:, :-1]  # (B, T, X)
    if at_once(deltas):
        decay = gamma * lam if trace is None else gamma * lam * ahead(trace, 1)
        return by_doubling(mask * deltas, mask * decay)
    advantages, later = torch.empty_like(deltas), torch.zeros_like(deltas[:, 0])
    for t in reversed(range(deltas.shape[1])):
        later = mask[:, t] * (deltas[:, t] + gamma * lam * later)
        advantages[:, t] = later
        if trace is not None:
            later = trace[:, t] * later
    return advantages


def n_step_returns(
    rewards: Tensor, terminated: Tensor, mask: Tensor, values: Tensor, gamma: float, n: int
) -> Tensor:
    """n rewards, then the value; fewer where the episode ends before. Shapes as in `gae`."""
    following = values[:, 1:]  # (B, T, X)
    goes_on = torch.cat([mask[:, 1:], torch.zeros_like(mask[:, :1])], dim=1) > 0  # (B, T, 1)
    returns = rewards + gamma * (1 - terminated) * following
    for _ in range(n - 1):
        shorter = torch.cat([returns[:, 1:], following[:, -1:]], dim=1)
        later = torch.where(goes_on, shorter, following)
        returns = rewards + gamma * (1 - terminated) * later
    return returns
