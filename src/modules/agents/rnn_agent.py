"""PyMARL's recurrent agent: linear, ReLU, GRU, linear. Parameter names as in its `agent.th`."""

from __future__ import annotations

from types import SimpleNamespace

from torch import Tensor, nn
from torch.nn import functional as F

from components.minibatch import Running
from modules.gru import GRU
from modules.layers import Dense
from utils.needs import Needs


class RNNAgent(nn.Module):
    """Steps through an episode (`forward`), or takes it whole (`unroll`): the same function."""

    needs = Needs()
    recurrent = True
    has_gru = True
    takes_agents_apart = True  # an agent's row depends on no other one's

    def __init__(self, input_shape: int, args: SimpleNamespace) -> None:
        super().__init__()
        width = args.rnn_hidden_dim
        self.hidden_dim = width
        self.fc1 = Dense(input_shape, width)
        self.rnn = GRU(width, width)
        self.fc2: nn.Module = Dense(width, args.n_actions)

    def without_outputs(self) -> None:
        """Leave out the last layer: what comes first is then its input, the hidden state."""
        self.fc2 = nn.Identity()

    def init_hidden(self) -> Tensor:
        """Zeros (1, H) on the model's device."""
        return self.fc1.weight.new_zeros(1, self.hidden_dim)

    def forward(self, inputs: Tensor, hidden_state: Tensor) -> tuple[Tensor, Tensor]:
        """One step: inputs (rows, F), hidden (..., H) -> outputs (rows, A), hidden (rows, H)."""
        x = F.relu(self.fc1(inputs))
        hidden = self.rnn(x, hidden_state.reshape(-1, self.hidden_dim))
        return self.fc2(hidden), hidden

    def unroll(
        self, inputs: Tensor, start: Tensor | None = None, running: Running = None
    ) -> tuple[Tensor, Tensor]:
        """All slots, from the hidden state `start` (B, N, H) or zeros.

        inputs (B, T, N, F) -> outputs (B, T, N, A), hidden states (B, T, N, H)
        """
        hidden = self.rnn.unroll(self.fc1.rectified(inputs), running, start)
        return self.fc2(hidden), hidden
