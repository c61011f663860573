"""FACMAC's critic: a utility for each agent from its own observation and action alone."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

from torch import Tensor, nn

from modules.dense import dense, linear, plus_linear
from modules.sizes import action_size, flat_size


class FACMACCritic(nn.Module):
    """Q_i(o_i, a_i), one network for all agents: it is told neither the state nor who it is."""

    def __init__(self, scheme: dict[str, Any], args: SimpleNamespace) -> None:
        super().__init__()
        width = args.rnn_hidden_dim
        inputs = flat_size(scheme["obs"]["vshape"]) + action_size(scheme, args)
        self.fc1 = nn.Linear(inputs, width)
        self.fc2 = dense(width, width, args)
        self.fc3 = nn.Linear(width, 1)

    def forward(
        self, inputs: Tensor, actions: Tensor, hidden_state: Any = None
    ) -> tuple[Tensor, Any]:
        """inputs (..., O), actions (..., A) -> utilities (..., 1), `hidden_state` as it came."""
        return self.at(inputs)(actions).unsqueeze(-1), hidden_state

    def at(self, obs: Tensor) -> Callable[[Tensor], Tensor]:
        """The utilities of actions where `obs` (..., O) is seen, whose layer is computed once."""
        rows, O = obs.flatten(0, -2), obs.shape[-1]
        from_obs = linear(rows, self.fc1.weight[:, :O], self.fc1.bias)  # (rows, H)
        of_actions = self.fc1.weight[:, O:]

        def utilities(actions: Tensor) -> Tensor:
            """(..., A) -> (...)"""
            x = plus_linear(from_obs, actions.flatten(0, -2), of_actions).relu_()
            x = self.fc2(x).relu_()
            return self.fc3(x).reshape(actions.shape[:-1])

        return utilities


class FACMACDiscreteCritic(FACMACCritic):
    """The same under the name that FACMAC gives it for one-hot actions."""
