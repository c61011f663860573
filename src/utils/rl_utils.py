"""PyMARL's name for the module that its learners, and PyMARL2's, import returns from."""

from __future__ import annotations

from torch import Tensor

from components.standarize_stream import RunningMeanStd
from learners.returns import td_lambda_returns

__all__ = ["RunningMeanStd", "build_q_lambda_targets", "build_td_lambda_targets"]


def build_td_lambda_targets(
    rewards: Tensor,
    terminated: Tensor,
    mask: Tensor,
    target_qs: Tensor,
    n_agents: int,
    gamma: float,
    td_lambda: float,
) -> Tensor:
    """Lambda-returns (B, T, X) from values `target_qs` (B, T + 1, X).

    The rest is (B, T, 1), or (B, T + 1, 1) as FACMAC's learners give it; the last slot, which has
    no step, does not count. X is read off the values, whatever `n_agents` says.
    """
    T = target_qs.shape[1] - 1
    steps = rewards[:, :T], terminated[:, :T], mask[:, :T]
    return td_lambda_returns(*steps, target_qs, gamma, td_lambda)


def build_q_lambda_targets(
    rewards: Tensor,
    terminated: Tensor,
    mask: Tensor,
    exp_qvals: Tensor,
    qvals: Tensor,
    gamma: float,
    td_lambda: float,
) -> Tensor:
    """PyMARL2's Q(lambda): lambda-returns of r + Q(s, greedy) - Q(s, a). (B, T, X)

    `exp_qvals` and `qvals` (B, T + 1, X) are values of greedy and of taken actions.
    """
    T = exp_qvals.shape[1] - 1
    corrected = rewards[:, :T] + exp_qvals[:, :T] - qvals[:, :T]
    n_agents = exp_qvals.shape[2]
    return build_td_lambda_targets(
        corrected, terminated, mask, exp_qvals, n_agents, gamma, td_lambda
    )
