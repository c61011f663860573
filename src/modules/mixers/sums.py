"""VDN: the joint value is the sum of the agents' (Sunehag et al. 2018)."""

from __future__ import annotations

from types import SimpleNamespace
from typing import NamedTuple

from torch import Tensor, nn

from utils.needs import Needs


class SumMixing(NamedTuple):
    """The sum over agents, plus a value of the state."""

    state_value: Tensor | float  # (B, T, 1)

    def __call__(self, qs: Tensor) -> Tensor:
        """The joint value. qs (B, T, N) -> (B, T, 1)"""
        return qs.sum(dim=2, keepdim=True) + self.state_value

    def one_by_one(self, own: Tensor, others: Tensor) -> Tensor:
        """N joint values; in the i-th agent i has its own and all others `others`. (B, T, N)"""
        return self(others) + (own - others)


class VDNMixer(nn.Module):
    """Built with or without `args`, as PyMARL code does either."""

    needs = Needs()

    def __init__(self, args: SimpleNamespace | None = None) -> None:
        super().__init__()

    def at(self, states: Tensor) -> SumMixing:
        """The mixing of joint values, the same at all states."""
        return SumMixing(0.0)

    def forward(self, agent_qs: Tensor, states: Tensor) -> Tensor:
        """agent_qs (B, T, N), or as FACMAC's learners lay them (B*T, N, 1); states (B, T, S).

        -> (B, T, 1)
        """
        return self.at(states)(agent_qs.reshape(*states.shape[:2], -1))
