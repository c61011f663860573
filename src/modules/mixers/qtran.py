"""QTRAN-base: an unconstrained joint value and the state value that closes its gap to the sum."""

from __future__ import annotations

from types import SimpleNamespace

import torch
from torch import Tensor, nn

from components.episode_batch import EpisodeBatch
from modules.sizes import flat_size
from utils.errors import UserError
from utils.needs import Given, Needs

HIDDEN_LAYERS = {"small": 1, "big": 2}


def qtran_alone(mixer: type, given: Given) -> None:
    learner = given["learner"]
    if "qtran" not in learner:
        raise UserError(
            f"mixer=qtran_base goes with learner=qtran_learner (--config=qtran), not {learner}."
        )


class QTranBase(nn.Module):
    """Q_jt(s, h, a) and V(s), from the state and the agents' features (Son et al. 2019, Fig. 1)."""

    needs = Needs(
        demands=(qtran_alone,), uses=frozenset({"mixing_embed_dim", "qtran_arch", "network_size"})
    )

    def __init__(self, args: SimpleNamespace) -> None:
        super().__init__()
        if args.qtran_arch != "qtran_paper":
            raise UserError(f"qtran_arch is '{args.qtran_arch}'; it can be 'qtran_paper'.")
        state, width = flat_size(args.state_shape), args.mixing_embed_dim
        depth = HIDDEN_LAYERS[args.network_size]
        pair = args.rnn_hidden_dim + args.n_actions  # an agent's features and its action
        self.encode = perceptron(pair, pair, pair, depth=1)
        self.Q = perceptron(state + pair, width, 1, depth + 1)
        self.V = perceptron(state, width, 1, depth + 1)

    def forward(
        self, batch: EpisodeBatch, hidden_states: Tensor, actions: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        """As PyMARL's learner asks; None are the actions taken. -> Q_jt, V (B*T, 1)"""
        actions = batch["actions_onehot"].float() if actions is None else actions
        joint, state_value = self.values(batch["state"], hidden_states, actions)
        return joint.flatten(0, 1), state_value.flatten(0, 1)

    def values(self, states: Tensor, features: Tensor, actions: Tensor) -> tuple[Tensor, Tensor]:
        """states (B, T, S), features (B, T, N, H), one-hots (B, T, N, A) -> Q_jt, V (B, T, 1)."""
        states = states.reshape(*states.shape[:2], -1)
        each = self.encode(torch.cat([features, actions], dim=-1))  # (B, T, N, H + A)
        together = torch.cat([states, each.sum(dim=2)], dim=-1)  # (B, T, S + H + A)
        return self.Q(together), self.V(states)


def perceptron(inputs: int, hidden: int, outputs: int, depth: int) -> nn.Sequential:
    """`depth` hidden layers with ReLU, then a linear one."""
    layers: list[nn.Module] = []
    for _ in range(depth):
        layers += [nn.Linear(inputs, hidden), nn.ReLU()]
        inputs = hidden
    return nn.Sequential(*layers, nn.Linear(inputs, outputs))
