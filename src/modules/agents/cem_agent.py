"""Agents that value continuous actions: what they remember, and a judge of any action there."""

from __future__ import annotations

from types import SimpleNamespace

from torch import Tensor, nn
from torch.nn import functional as F

from components.minibatch import Running
from modules.gru import GRU
from utils.needs import Needs


class CEMAgent(nn.Module):
    """Without memory. What it outputs are features; `judge` makes values of features and actions.

    The action enters behind the features, so that many actions can be judged for one of them.
    """

    needs = Needs()
    recurrent = False

    def __init__(self, input_shape: int, args: SimpleNamespace) -> None:
        super().__init__()
        self.hidden_dim = args.rnn_hidden_dim
        self.fc1 = nn.Linear(input_shape, self.hidden_dim)
        self.fc2 = nn.Linear(self.hidden_dim + args.n_actions, self.hidden_dim)
        self.fc3 = nn.Linear(self.hidden_dim, 1)

    def init_hidden(self) -> Tensor:
        return self.fc1.weight.new_zeros(1, self.hidden_dim)

    def forward(self, inputs: Tensor, hidden_state: Tensor) -> tuple[Tensor, Tensor]:
        """One step: inputs (rows, F) -> features (rows, H), twice."""
        features = F.relu(self.fc1(inputs))
        return features, features

    def unroll(
        self, inputs: Tensor, start: Tensor | None = None, running: Running = None
    ) -> tuple[Tensor, Tensor]:
        """inputs (B, T, N, F) -> (B, T, N, H), twice."""
        return self(inputs, inputs)

    def judge(self, features: Tensor, actions: Tensor) -> Tensor:
        """Values of `actions` (samples, ..., A) where the features (..., H) are: (samples, ...)."""
        width = self.hidden_dim
        of_features = F.linear(features, self.fc2.weight[:, :width], self.fc2.bias)  # (..., H)
        of_actions = F.linear(actions, self.fc2.weight[:, width:])  # (samples, ..., H)
        return self.fc3(F.relu(of_features + of_actions)).squeeze(-1)


class CEMRecurrentAgent(CEMAgent):
    """With a GRU."""

    needs = Needs()
    recurrent = True
    has_gru = True

    def __init__(self, input_shape: int, args: SimpleNamespace) -> None:
        super().__init__(input_shape, args)
        self.rnn = GRU(self.hidden_dim, self.hidden_dim)

    def forward(self, inputs: Tensor, hidden_state: Tensor) -> tuple[Tensor, Tensor]:
        x = F.relu(self.fc1(inputs))
        hidden = self.rnn(x, hidden_state.reshape(-1, self.hidden_dim))
        return hidden, hidden

    def unroll(
        self, inputs: Tensor, start: Tensor | None = None, running: Running = None
    ) -> tuple[Tensor, Tensor]:
        hidden = self.rnn.unroll(F.relu(self.fc1(inputs)), running, start)
        return hidden, hidden
