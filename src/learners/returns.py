"""TD(lambda) targets, as value learners and critics fit them."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from components.minibatch import Minibatch


def td_targets(minibatch: Minibatch, following: Tensor, gamma: float, td_lambda: float) -> Tensor:
    """TD(lambda) targets of the steps; one-step targets if `td_lambda` is 0.

    following (1, n, X) are the values of the slots after each step -> (1, n, X).
    """
    if td_lambda == 0:
        return minibatch.reward + gamma * (1 - minibatch.terminated.float()) * following
    steps, fields = minibatch.steps, minibatch.batch.data.transition_data
    rewards, terminated = fields["reward"][:, :-1], fields["terminated"][:, :-1].float()
    values = steps.put(following)  # (B, T, X)
    values = torch.cat([torch.zeros_like(values[:, :1]), values], dim=1)  # slot 0 is not read
    returns = td_lambda_returns(rewards, terminated, minibatch.valid, values, gamma, td_lambda)
    return steps.take(returns)


def td_lambda_returns(
    rewards: Tensor,
    terminated: Tensor,
    mask: Tensor,
    values: Tensor,
    gamma: float,
    td_lambda: float,
) -> Tensor:
    """Lambda-returns (B, T, X) from `values` (B, T + 1, X) and the rest (B, T, 1).

    Every episode ends at its own length: where `mask` is zero, the return is the bootstrap value
    of that slot (nothing after a terminal), so that no padding enters an episode that was cut.
    """
    going_on = 1 - terminated
    bootstrap = values * (1 - terminated.sum(1, keepdim=True))  # (B, T+1, X)
    one_step = mask * (rewards + (1 - td_lambda) * gamma * values[:, 1:] * going_on)
    valid = mask > 0  # (B, T, 1)
    if at_once(rewards):
        added = torch.where(valid, one_step, bootstrap[:, :-1])
        added = torch.cat([added, bootstrap[:, -1:]], dim=1)  # (B, T+1, X)
        return by_doubling(added, td_lambda * gamma * F.pad(mask, (0, 0, 0, 1)))[:, :-1]
    carried = bootstrap[:, -1]
    returns = []
    for t in reversed(range(rewards.shape[1])):
        carried = torch.add(one_step[:, t], carried, alpha=td_lambda * gamma)
        carried = torch.where(valid[:, t], carried, bootstrap[:, t])
        returns.append(carried)
    return torch.stack(returns[::-1], dim=1)


def at_once(values: Tensor) -> bool:
    """Whether slots are not to be gone through in a loop, in which a GPU launches each step."""
    return values.is_cuda


def by_doubling(added: Tensor, factor: Tensor) -> Tensor:
    """y of y_t = added_t + factor_t y_(t+1), which is 0 after the last slot. (B, T, X)

    In log2 T steps, of which each reaches twice as far ahead as the one before. Equal to the loop
    over slots but for rounding.
    """
    reach = 1
    while reach < added.shape[1]:
        added = added + factor * ahead(added, reach)
        factor = factor * ahead(factor, reach)
        reach *= 2
    return added


def ahead(values: Tensor, slots: int) -> Tensor:
    """Those of so many slots later, and zeros after the last. (B, T, X)"""
    return F.pad(values[:, slots:], (0, 0, 0, slots))
