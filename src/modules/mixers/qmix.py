"""QMIX: a mixing network whose weights a hypernetwork makes from the state (Rashid et al. 2018).

Parameter names are those in PyMARL's `mixer.th`.
"""

from __future__ import annotations

from types import SimpleNamespace
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from modules.layers import Dense, all_of_same
from modules.sizes import flat_size
from utils.errors import UserError
from utils.needs import Needs


class QMixing(NamedTuple):
    """What the hypernetworks made of B x T states: mixes any values there."""

    w1: Tensor  # (B*T, N, E)
    b1: Tensor  # (B*T, 1, E)
    w2: Tensor  # (B*T, E, 1)
    state_value: Tensor  # (B*T, 1, 1)
    gate: Tensor | None
    skip: bool

    def before_activation(self, qs: Tensor) -> Tensor:
        """qs (B, T, N) -> (B*T, 1, E)"""
        return torch.baddbmm(self.b1, qs.reshape(-1, 1, qs.shape[2]), self.w1)

    def __call__(self, qs: Tensor) -> Tensor:
        """The joint value. qs (B, T, N) -> (B, T, 1)"""
        value = self._rest(self.before_activation(qs)).reshape(*qs.shape[:2], 1)
        return value + qs.sum(dim=2, keepdim=True) if self.skip else value

    def one_by_one(self, own: Tensor, others: Tensor) -> Tensor:
        """N joint values; in the i-th agent i has its own and all others `others`. (B, T, N)

        They differ from the others' joint value in one input, so the first layer is computed once
        and corrected for each agent: in all N x E numbers a state instead of N x N x E.
        """
        moved = (own - others).reshape(-1, own.shape[2], 1)  # (B*T, N, 1)
        units = torch.addcmul(self.before_activation(others), moved, self.w1)  # (B*T, N, E)
        values = self._rest(units).reshape(own.shape)
        return values + others.sum(dim=2, keepdim=True) + (own - others) if self.skip else values

    def _rest(self, units: Tensor) -> Tensor:
        """(B*T, R, E) -> (B*T, R, 1)"""
        value = torch.bmm(F.elu(units), self.w2)
        if self.gate is not None:
            value = value * self.gate
        return value + self.state_value


class QMixer(nn.Module):
    """Q_tot = w2(s) . elu(W1(s) q + b1(s)) + V(s), with W1, w2 >= 0 (Eq. 4 and 5)."""

    needs = Needs(
        uses=frozenset(
            {
                *("mixing_embed_dim", "hypernet_layers", "hypernet_embed"),
                *("hyper_initialization_nonzeros", "skip_connections", "gated"),
            }
        )
    )

    def __init__(self, args: SimpleNamespace) -> None:
        super().__init__()
        self.args = args
        self.n_agents: int = args.n_agents
        self.state_dim = flat_size(args.state_shape)
        self.embed_dim: int = args.mixing_embed_dim
        self.hyper_w_1 = self._hypernet(self.embed_dim * self.n_agents)
        self.hyper_w_final = self._hypernet(self.embed_dim)
        self.hyper_b_1 = Dense(self.state_dim, self.embed_dim)
        self.V = nn.Sequential(
            Dense(self.state_dim, self.embed_dim), nn.ReLU(), Dense(self.embed_dim, 1)
        )
        if args.gated:
            self.gate = nn.Parameter(torch.tensor([0.5]))

    def constrain(self, weights: Tensor) -> Tensor:
        """What makes the mixer monotonic in every agent's value."""
        return weights.abs()

    def at(self, states: Tensor) -> QMixing:
        """The mixing of joint values at `states`, made once for all of them. (B, T, S)"""
        N, E = self.n_agents, self.embed_dim
        networks = self.hyper_w_1, self.hyper_b_1, self.hyper_w_final, self.V
        w1, b1, w2, value = all_of_same(networks, states.reshape(-1, self.state_dim))
        return QMixing(
            w1=self.constrain(w1).reshape(-1, N, E),
            b1=b1.reshape(-1, 1, E),
            w2=self.constrain(w2).reshape(-1, E, 1),
            state_value=value.reshape(-1, 1, 1),
            gate=self.gate if self.args.gated else None,
            skip=self.args.skip_connections,
        )

    def forward(self, agent_qs: Tensor, states: Tensor) -> Tensor:
        """agent_qs (B, T, N), states (B, T, S) -> (B, T, 1)."""
        B, N = agent_qs.shape[0], self.n_agents
        return self.at(states)(agent_qs.reshape(B, -1, N))

    def _hypernet(self, outputs: int) -> nn.Module:
        layers, width = self.args.hypernet_layers, self.args.hypernet_embed
        if layers == 1:
            last = Dense(self.state_dim, outputs)
            network: nn.Module = last
        elif layers == 2:
            last = Dense(width, outputs)
            network = nn.Sequential(Dense(self.state_dim, width), nn.ReLU(), last)
        else:
            raise UserError(f"hypernet_layers is {layers}; it can be 1 or 2.")
        spread = self.args.hyper_initialization_nonzeros
        if spread > 0:
            # Spread the bias so that the mixing weights of the first steps are not all near zero.
            nn.init.normal_(last.bias, mean=0.0, std=spread**-0.5)
        return network
