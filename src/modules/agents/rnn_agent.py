"""PyMARL's recurrent agent: linear, ReLU, GRU, linear. Parameter names as in its `agent.th`."""

from __future__ import annotations

from types import SimpleNamespace

import torch
from torch import Tensor, nn
from torch.nn import functional as F


class RNNAgent(nn.Module):
    """Steps through an episode (`forward`), or takes it whole (`unroll`): the same function."""

    recurrent = True

    def __init__(self, input_shape: int, args: SimpleNamespace) -> None:
        super().__init__()
        width = args.rnn_hidden_dim
        self.hidden_dim = width
        self.fc1 = nn.Linear(input_shape, width)
        self.rnn = nn.GRUCell(width, width)
        self.fc2 = nn.Linear(width, args.n_actions)

    def init_hidden(self) -> Tensor:
        """Zeros (1, H) on the model's device."""
        return self.fc1.weight.new_zeros(1, self.hidden_dim)

    def forward(self, inputs: Tensor, hidden_state: Tensor) -> tuple[Tensor, Tensor]:
        """One step: inputs (rows, F), hidden (..., H) -> outputs (rows, A), hidden (rows, H)."""
        x = F.relu(self.fc1(inputs))
        hidden = self.rnn(x, hidden_state.reshape(-1, self.hidden_dim))
        return self.fc2(hidden), hidden

    def unroll(self, inputs: Tensor, start: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """All slots, from the hidden state `start` (B, N, H) or zeros.

        inputs (B, T, N, F) -> outputs (B, T, N, A), hidden states (B, T, N, H)
        """
        hidden = unroll_gru(self.rnn, F.relu(self.fc1(inputs)), self.training, start)
        return self.fc2(hidden), hidden


def unroll_gru(cell: nn.GRUCell, x: Tensor, training: bool, start: Tensor | None = None) -> Tensor:
    """x (B, T, N, H) -> hidden states (B, T, N, H), from `start` (B, N, H) or zeros.

    One fused GRU call over the cell's own weights instead of T Python steps.
    """
    B, T, N, _ = x.shape
    x = x.transpose(1, 2).reshape(B * N, T, -1)
    size = (1, B * N, cell.hidden_size)
    before = x.new_zeros(size) if start is None else start.reshape(size)
    weights = [cell.weight_ih, cell.weight_hh, cell.bias_ih, cell.bias_hh]
    # biases, layers, dropout, training, bidirectional, batch first
    hidden, _ = torch.gru(x, before, weights, True, 1, 0.0, training, False, True)
    return hidden.reshape(B, N, T, -1).transpose(1, 2)  # (B, T, N, H)
