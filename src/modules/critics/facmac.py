"""FACMAC's critic: a utility for each agent from its own observation and action alone."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace

from torch import Tensor, nn

from components.scheme import Scheme
from modules.layers import Dense, given_first_inputs
from modules.sizes import action_size, flat_size


class FACMACCritic(nn.Module):
    """Q_i(o_i, a_i), one network for all agents. Its inputs hold neither state nor agent id."""

    hidden_states: None = None  # FACMAC's learners ask critics for a memory; this one has none

    def __init__(self, scheme: Scheme, args: SimpleNamespace) -> None:
        super().__init__()
        width = args.rnn_hidden_dim
        inputs = flat_size(scheme["obs"]["vshape"]) + action_size(scheme, args)
        self.fc1 = Dense(inputs, width)
        self.fc2 = Dense(width, width)
        self.fc3 = nn.Linear(width, 1)

    def forward(
        self, inputs: Tensor, actions: Tensor, hidden_state: Tensor | None = None
    ) -> tuple[Tensor, Tensor | None]:
        """inputs (..., O), actions (..., A) -> utilities (..., 1), `hidden_state` as it came."""
        return self.at(inputs)(actions).unsqueeze(-1), hidden_state

    def init_hidden(self, batch_size: int) -> None:
        """Forget every episode, which is nothing to do."""

    def at(self, obs: Tensor) -> Callable[[Tensor], Tensor]:
        """The utilities (...) of actions (..., A) given observations `obs` (..., O)."""
        return given_first_inputs((self.fc1, self.fc2, self.fc3), obs)


class FACMACDiscreteCritic(FACMACCritic):
    """The same under the name that FACMAC gives it for one-hot actions."""
