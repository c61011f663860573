"""FACMAC's variants of the mixers."""

from __future__ import annotations

from types import SimpleNamespace

from torch import Tensor, nn

from modules.mixers.qmix import QMixer
from modules.mixers.sums import SumMixing
from modules.sizes import flat_size
from utils.needs import Needs


class QMixerNonmonotonic(QMixer):
    """QMIX without the sign constraint: "qmix-nonmonotonic"."""

    needs = QMixer.needs

    def constrain(self, weights: Tensor) -> Tensor:
        return weights


class VDNState(nn.Module):
    """Sum of the agents' values plus V(s): "vdn-s"."""

    needs = Needs(uses=frozenset({"mixing_embed_dim"}))

    def __init__(self, args: SimpleNamespace) -> None:
        super().__init__()
        self.state_dim = flat_size(args.state_shape)
        width = args.mixing_embed_dim
        self.V = nn.Sequential(nn.Linear(self.state_dim, width), nn.ReLU(), nn.Linear(width, 1))

    def at(self, states: Tensor) -> SumMixing:
        """The mixing of joint values at `states`. (B, T, S)"""
        return SumMixing(self.V(states.reshape(*states.shape[:2], self.state_dim)))  # (B, T, 1)

    def forward(self, agent_qs: Tensor, states: Tensor) -> Tensor:
        """agent_qs (B, T, N), or in the same order (B, T*N, 1); states (B, T, S) -> (B, T, 1)."""
        return self.at(states)(agent_qs.reshape(*states.shape[:2], -1))
