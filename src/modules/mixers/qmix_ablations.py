"""FACMAC's variants of the mixers."""

from __future__ import annotations

from types import SimpleNamespace

from torch import Tensor, nn

from modules.mixers.qmix import QMixer, flat_size


class QMixerNonmonotonic(QMixer):
    """QMIX without the sign constraint: "qmix-nonmonotonic"."""

    def constrain(self, weights: Tensor) -> Tensor:
        return weights


class VDNState(nn.Module):
    """Sum of the agents' values plus V(s): "vdn-s"."""

    def __init__(self, args: SimpleNamespace) -> None:
        super().__init__()
        self.state_dim = flat_size(args.state_shape)
        width = args.mixing_embed_dim
        self.V = nn.Sequential(nn.Linear(self.state_dim, width), nn.ReLU(), nn.Linear(width, 1))

    def forward(self, agent_qs: Tensor, states: Tensor) -> Tensor:
        """agent_qs (B, T, N), states (B, T, S) -> (B, T, 1)."""
        value = self.V(states.reshape(*states.shape[:2], self.state_dim))  # (B, T, 1)
        return agent_qs.sum(dim=2, keepdim=True) + value
