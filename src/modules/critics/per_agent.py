"""Small networks with an answer for each agent: one that is told who asks, or one for each."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from modules.layers import Dense


class SharedMLP(nn.Module):
    """Three layers; the last N inputs of the first are the one-hot number of the agent.

    That one-hot picks a column of the first layer's weights, so it is never built, and what all
    agents see alike is multiplied once.
    """

    def __init__(self, n_inputs: int, width: int, n_outputs: int, n_agents: int) -> None:
        super().__init__()
        self.n_inputs = n_inputs
        self.fc1 = Dense(n_inputs + n_agents, width)
        self.fc2 = Dense(width, width)
        self.fc3 = nn.Linear(width, n_outputs)

    def forward(self, inputs: Tensor) -> Tensor:
        """inputs (..., 1 or N, F) -> (..., N, outputs)"""
        first, F_in = self.fc1, self.n_inputs
        of_inputs = first.products.linear(inputs, first.weight[:, :F_in], first.bias)
        of_agents = first.weight[:, F_in:].t()  # (N, H)
        x = (of_inputs + of_agents).relu_()  # (..., N, H)
        return self.fc3(self.fc2.rectified(x))


class SeparateMLPs(nn.Module):
    """The same layers, N times."""

    def __init__(self, n_inputs: int, width: int, n_outputs: int, n_agents: int) -> None:
        super().__init__()
        self.networks = nn.ModuleList(
            nn.Sequential(
                Dense(n_inputs, width),
                nn.ReLU(),
                Dense(width, width),
                nn.ReLU(),
                nn.Linear(width, n_outputs),
            )
            for _ in range(n_agents)
        )

    def forward(self, inputs: Tensor) -> Tensor:
        """inputs (..., 1 or N, F) -> (..., N, outputs)"""
        rows = inputs.expand(*inputs.shape[:-2], len(self.networks), -1)
        answers = [network(rows[..., i, :]) for i, network in enumerate(self.networks)]
        return torch.stack(answers, dim=-2)
