"""Returns that several learners share."""

from __future__ import annotations

import torch
from torch import Tensor

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
    mask, X = minibatch.valid, values.shape[2]
    returns = build_td_lambda_targets(rewards, terminated, mask, values, X, gamma, td_lambda)
    return steps.take(returns)


def build_td_lambda_targets(
    rewards: Tensor,
    terminated: Tensor,
    mask: Tensor,
    target_qs: Tensor,
    n_agents: int,
    gamma: float,
    td_lambda: float,
) -> Tensor:
    """Lambda-returns (B, T, X) from values `target_qs` (B, T + 1, X) and the rest (B, T, 1).

    Every episode ends at its own length: where `mask` is zero, the return is the bootstrap value
    of that slot (nothing after a terminal), so that no padding enters an episode that was cut.
    `n_agents` is part of PyMARL's signature; X is read off the tensors.
    """
    going_on = 1 - terminated
    bootstrap = target_qs * (1 - terminated.sum(1, keepdim=True))  # (B, T+1, X)
    one_step = mask * (rewards + (1 - td_lambda) * gamma * target_qs[:, 1:] * going_on)
    valid = mask > 0  # (B, T, 1)
    carried = bootstrap[:, -1]
    returns = []
    for t in reversed(range(rewards.shape[1])):
        carried = torch.add(one_step[:, t], carried, alpha=td_lambda * gamma)
        carried = torch.where(valid[:, t], carried, bootstrap[:, t])
        returns.append(carried)
    return torch.stack(returns[::-1], dim=1)


def gae(
    rewards: Tensor, terminated: Tensor, mask: Tensor, values: Tensor, gamma: float, lam: float
) -> Tensor:
    """Generalised advantages (B, T, X) from values (B, T + 1, X) and the rest (B, T, 1).

    A_t = delta_t + gamma lam A_(t+1),   delta_t = r_t + gamma (1 - terminated_t) V_(t+1) - V_t

    The sum ends with the episode, where the next slot's `mask` is 0; the last step of an episode
    that was cut still looks at V of the slot after it.
    """
    deltas = rewards + gamma * (1 - terminated) * values[:, 1:] - values[:, :-1]  # (B, T, X)
    advantages, later = torch.empty_like(deltas), torch.zeros_like(deltas[:, 0])
    for t in reversed(range(deltas.shape[1])):
        later = mask[:, t] * (deltas[:, t] + gamma * lam * later)
        advantages[:, t] = later
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
