"""PyMARL's name for the module that its learners import returns from."""

from __future__ import annotations

from torch import Tensor

from learners import returns


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
    no step, does not count.
    """
    T = target_qs.shape[1] - 1
    steps = rewards[:, :T], terminated[:, :T], mask[:, :T]
    return returns.build_td_lambda_targets(*steps, target_qs, n_agents, gamma, td_lambda)
