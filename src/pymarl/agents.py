"""Agent networks that know only PyMARL's `forward`, one slot at a time."""

from __future__ import annotations

from typing import Any, Protocol

import torch
from torch import Tensor, nn

from modules.agents.gru import Running
from modules.agents.separate import SeparateAgents
from pymarl.overrides import speaks_for


class Unrolling(Protocol):
    """What takes many slots at once."""

    recurrent: bool
    packs: bool  # whether rows may be laid end to end

    def unroll(
        self, inputs: Tensor, start: Tensor | None = None, running: Running = None
    ) -> tuple[Tensor, Tensor]:
        """inputs (R, L, N, F), start (R, N, H) -> outputs (R, L, N, A), memory (R, L, N, H)"""


class OwnUnroll:
    """Of networks that have an `unroll` of their own. A shallow face, so that copies share them."""

    packs = True

    def __init__(self, agent: Any) -> None:
        self._agent = agent
        self.recurrent = bool(getattr(agent, "recurrent", True))

    def unroll(
        self, inputs: Tensor, start: Tensor | None = None, running: Running = None
    ) -> tuple[Tensor, Tensor]:
        return self._agent.unroll(inputs, start, running)


class SlotBySlot:
    """Of all others: padded rows, one slot after the other; equal, and slower."""

    packs = False
    recurrent = True  # for all that is known

    def __init__(self, agent: Any) -> None:
        self._agent = agent

    def unroll(
        self, inputs: Tensor, start: Tensor | None = None, running: Running = None
    ) -> tuple[Tensor, Tensor]:
        assert running is None
        R, L, N, _ = inputs.shape
        hidden: Any = start
        if hidden is None:
            hidden = self._agent.init_hidden().unsqueeze(0).expand(R, N, -1)
        outputs, states = [], []
        for t in range(L):
            output, hidden = self._agent(inputs[:, t].reshape(R * N, -1), hidden)
            outputs.append(output.reshape(R, N, -1))
            memory = hidden[0] if isinstance(hidden, tuple) else hidden  # of an LSTM
            states.append(memory.reshape(R, N, -1))
        return torch.stack(outputs, dim=1), torch.stack(states, dim=1)


def unrolling(agent: nn.Module) -> Unrolling:
    """The agent's own way through many slots, if it has one that knows of its `forward`."""
    each = agent.agents[0] if isinstance(agent, SeparateAgents) else agent
    if speaks_for(type(each), "unroll", "forward", "init_hidden"):
        return OwnUnroll(agent)
    return SlotBySlot(agent)
