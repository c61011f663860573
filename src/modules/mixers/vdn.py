"""VDN: the joint value is the sum of the agents' (Sunehag et al. 2018)."""

from __future__ import annotations

from types import SimpleNamespace

from torch import Tensor, nn


class VDNMixer(nn.Module):
    """Built with or without `args`, as PyMARL code does either."""

    def __init__(self, args: SimpleNamespace | None = None) -> None:
        super().__init__()

    def forward(self, agent_qs: Tensor, states: Tensor) -> Tensor:
        """agent_qs (B, T, N), states unused -> (B, T, 1)."""
        return agent_qs.sum(dim=2, keepdim=True)
