"""MADDPG's critic: one value from the state and everybody's actions."""

from __future__ import annotations

from types import SimpleNamespace

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from components.scheme import Scheme
from modules.layers import Dense
from modules.sizes import action_size, flat_size


class MADDPGCritic(nn.Module):
    """Q(s, a_1 .. a_N), one network for all agents."""

    def __init__(self, scheme: Scheme, args: SimpleNamespace) -> None:
        super().__init__()
        width = args.rnn_hidden_dim
        self.state_size = flat_size(scheme["state"]["vshape"])
        self.fc1 = Dense(self.state_size + args.n_agents * action_size(scheme, args), width)
        self.fc2 = Dense(width, width)
        self.fc3 = nn.Linear(width, 1)

    def forward(
        self, inputs: Tensor, actions: Tensor, hidden_state: Tensor | None = None
    ) -> tuple[Tensor, Tensor | None]:
        """inputs (..., S), actions (..., N, A) -> values (..., 1), `hidden_state` as it came.

        FACMAC's learners give states (B, S) and actions (B, 1, N, A) of one slot.
        """
        joint = actions.reshape(*inputs.shape[:-1], -1)  # (..., N * A)
        return self._rest(self.fc1(torch.cat([inputs, joint], dim=-1))), hidden_state

    def counterfactual(self, inputs: Tensor, own: Tensor, others: Tensor) -> Tensor:
        """The N values in which agent i plays own_i against the others' `others`.

        inputs (B, T, S), own and others (B, T, N, A) -> (B, T, N).
        A joint action differs from `others` in one agent's part only, so the first layer is
        computed once and corrected for each agent, instead of N times on N-fold inputs.
        """
        N, A = own.shape[-2:]
        played_by_others = self.fc1(torch.cat([inputs, others.flatten(-2)], dim=-1))  # (B, T, H)
        by_agent = self.fc1.weight[:, self.state_size :].reshape(-1, N, A)  # (H, N, A)
        correction = torch.einsum("btna,hna->btnh", own - others, by_agent)  # (B, T, N, H)
        return self._rest(played_by_others.unsqueeze(2) + correction).squeeze(3)

    def _rest(self, first: Tensor) -> Tensor:
        return self.fc3(F.relu(self.fc2(F.relu(first))))
