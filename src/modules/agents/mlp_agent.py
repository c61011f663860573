"""An agent without memory: two hidden layers."""

from __future__ import annotations

from types import SimpleNamespace

from torch import Tensor, nn
from torch.nn import functional as F

from components.minibatch import Running
from modules.layers import Dense
from utils.needs import Needs


class MLPAgent(nn.Module):
    """The "hidden state" it returns is its last hidden layer; the one it is given is not used."""

    needs = Needs()
    recurrent = False

    def __init__(self, input_shape: int, args: SimpleNamespace) -> None:
        super().__init__()
        width = args.rnn_hidden_dim
        self.fc1 = nn.Linear(input_shape, width)
        self.fc2 = Dense(width, width)
        self.fc3: nn.Module = nn.Linear(width, args.n_actions)

    def without_outputs(self) -> None:
        """Leave out the last layer: what comes first is then its input, the last hidden layer."""
        self.fc3 = nn.Identity()

    def init_hidden(self) -> Tensor:
        return self.fc1.weight.new_zeros(1, self.fc1.out_features)

    def forward(self, inputs: Tensor, hidden_state: Tensor) -> tuple[Tensor, Tensor]:
        """One step: inputs (rows, F) -> outputs (rows, A), last hidden layer (rows, H)."""
        x = F.relu(self.fc1(inputs))
        x = F.relu(self.fc2(x))
        return self.fc3(x), x

    def unroll(
        self, inputs: Tensor, start: Tensor | None = None, running: Running = None
    ) -> tuple[Tensor, Tensor]:
        """inputs (B, T, N, F) -> (B, T, N, A), (B, T, N, H)."""
        return self(inputs, inputs)
