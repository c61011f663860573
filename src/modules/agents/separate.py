"""One network per agent instead of one for all: `share_parameters: False`."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import torch
from torch import Tensor, nn

from components.minibatch import Running


class SeparateAgents(nn.Module):
    """N copies of any agent class, each seeing only its own agent's rows."""

    def __init__(
        self, agent_class: Callable[..., Any], input_shape: int, args: SimpleNamespace
    ) -> None:
        super().__init__()
        self.recurrent = getattr(agent_class, "recurrent", True)
        self.agents: Any = nn.ModuleList(
            [agent_class(input_shape, args) for _ in range(args.n_agents)]
        )

    def network_of(self, agent: int) -> Any:
        """One of an agent class, for that agent's rows."""
        return self.agents[agent]

    def parameters_of(self, agent: int) -> list[nn.Parameter]:
        """What is agent's own: no two agents have a parameter in common."""
        return list(self.agents[agent].parameters())

    def without_outputs(self) -> None:
        """Leave out every network's last layer."""
        for agent in self.agents:
            agent.without_outputs()

    def init_hidden(self) -> Tensor:
        """(N, H)."""
        return torch.cat([agent.init_hidden() for agent in self.agents])

    def forward(self, inputs: Tensor, hidden_state: Tensor) -> tuple[Tensor, Tensor]:
        """inputs (B*N, F), hidden (..., H) -> (B*N, A), (B*N, H)."""
        N = len(self.agents)
        rows = inputs.reshape(-1, N, inputs.shape[-1])  # (B, N, F)
        hidden = hidden_state.reshape(-1, N, hidden_state.shape[-1])  # (B, N, H)
        steps = [agent(rows[:, i], hidden[:, i]) for i, agent in enumerate(self.agents)]
        outputs, hiddens = (torch.stack(parts, dim=1) for parts in zip(*steps, strict=True))
        return outputs.flatten(0, 1), hiddens.flatten(0, 1)  # (B*N, A), (B*N, H)

    def judge(self, features: Tensor, actions: Tensor) -> Tensor:
        """features (..., N, H), actions (samples, ..., N, A) or (..., N, A) -> without the A."""
        values = [
            agent.judge(features[..., i, :], actions[..., i, :])
            for i, agent in enumerate(self.agents)
        ]
        return torch.stack(values, dim=-1)

    def unroll(
        self, inputs: Tensor, start: Tensor | None = None, running: Running = None
    ) -> tuple[Tensor, Tensor]:
        """inputs (B, T, N, F), start (B, N, H) -> (B, T, N, A), (B, T, N, H)."""
        starts = [None] * len(self.agents) if start is None else start.split(1, dim=1)
        parts = [
            agent.unroll(own_rows(inputs, i), own_start, running)
            for i, (agent, own_start) in enumerate(zip(self.agents, starts, strict=True))
        ]
        outputs, features = (torch.cat(each, dim=2) for each in zip(*parts, strict=True))
        return outputs, features


def own_rows(inputs: Tensor, agent: int) -> Tensor:
    """One agent's rows (..., N, F) -> (..., 1, F), laid out anew.

    A product over rows with gaps between them is slower, and may round otherwise.
    """
    return inputs[..., agent : agent + 1, :].contiguous()
