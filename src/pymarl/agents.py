"""Agent networks that know only PyMARL's `forward`, one slot at a time."""

from __future__ import annotations

from typing import Any, Protocol

import torch
from torch import Tensor

from modules.agents.separate import SeparateAgents
from modules.kernels import Running
from pymarl.overrides import speaks_for


class Unrolling(Protocol):
    """What takes many slots at once."""

    recurrent: bool

    def unroll(
        self, inputs: Tensor, start: Tensor | None = None, running: Running = None
    ) -> tuple[Tensor, Tensor]:
        """inputs (R, L, N, F), start (R, N, H) -> outputs (R, L, N, A), memory (R, L, N, H)"""


class SlotBySlot:
    """The way of networks without one: padded rows, slot after slot; equal, and slower."""

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


def unrolling(agent: Any) -> Unrolling:
    """The agent itself, if it has a way through many slots that knows of its `forward`."""
    each = agent.agents[0] if isinstance(agent, SeparateAgents) else agent
    return (
        agent if speaks_for(type(each), "unroll", "forward", "init_hidden") else SlotBySlot(agent)
    )


def takes_packed_rows(unrolling: Unrolling) -> bool:
    """Whether rows may be laid end to end."""
    return not isinstance(unrolling, SlotBySlot)
