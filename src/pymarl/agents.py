"""Agent networks that know only PyMARL's `forward`, one slot at a time."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any, Protocol

import torch
from torch import Tensor

from components.minibatch import Running
from modules.agents.separate import SeparateAgents
from pymarl.acting import described
from pymarl.overrides import speaks_for
from utils.errors import UserError


class Unrolling(Protocol):
    """What takes many slots at once."""

    recurrent: bool

    def unroll(
        self, inputs: Tensor, start: Tensor | None = None, running: Running = None
    ) -> tuple[Tensor, Tensor]:
        """inputs (R, L, N, F), start (R, N, H) -> outputs (R, L, N, A), memory (R, L, N, H)"""


# Whether networks take (B, N, F); of other controllers, what finds it out from F and a memory.
Teams = bool | Callable[[int, Tensor | None], bool]


class SlotBySlot:
    """The way of networks without one: padded rows, slot after slot; equal, and slower."""

    recurrent = True  # for all that is known

    def __init__(self, agent: Any, takes_teams: Teams = False) -> None:
        self._agent, self._takes_teams = agent, takes_teams

    def unroll(
        self, inputs: Tensor, start: Tensor | None = None, running: Running = None
    ) -> tuple[Tensor, Tensor]:
        assert running is None
        R, L, N, F = inputs.shape
        if callable(self._takes_teams):
            # Networks with several memories, as of an LSTM, cannot be asked: they take rows.
            self._takes_teams = not isinstance(start, tuple) and self._takes_teams(F, start)
        hidden: Any = start
        if hidden is None:
            hidden = self._agent.init_hidden().unsqueeze(0).expand(R, N, -1)
        outputs, states = [], []
        for t in range(L):
            slot = inputs[:, t].contiguous()  # (R, N, F); networks of others call `view`
            output, hidden = self._agent(slot if self._takes_teams else slot.flatten(0, 1), hidden)
            outputs.append(output.reshape(R, N, -1))
            memory = hidden[0] if isinstance(hidden, tuple) else hidden  # of an LSTM
            states.append(memory.reshape(R, N, -1))
        return torch.stack(outputs, dim=1), torch.stack(states, dim=1)


def unrolling(agent: Any, takes_teams: Teams = False) -> Unrolling:
    """The agent itself, if it has a way through many slots that knows of its `forward`."""
    if speaks_for(type(innermost(agent)), "unroll", "forward", "init_hidden"):
        return agent
    return SlotBySlot(agent, takes_teams)


def innermost(agent: Any) -> Any:
    """The network of an agent, without what has been put around it."""
    if getattr(agent, "hears", False):  # what it is told may be put around it: `Conditioned`
        agent = getattr(agent, "base", agent)
    return agent.agents[0] if isinstance(agent, SeparateAgents) else agent


def knows_slots_only(agent: Any) -> bool:
    return isinstance(unrolling(agent), SlotBySlot)


def takes_packed_rows(unrolling: Unrolling) -> bool:
    """Whether rows may be laid end to end."""
    return not isinstance(unrolling, SlotBySlot)


EPISODES = 2  # that a network is asked about


def takes_teams(
    agent: Any,
    n_inputs: int,
    n_agents: int,
    n_outputs: int,
    name: str,
    memory: Tensor | None = None,
) -> bool:
    """Whether the network takes (B, N, F), as those of PyMARL2 do, and not (B*N, F).

    `memory` (B, N, H) is its controller's; None is the network's own.

    It is found out by asking a copy once. A network that answers neither is refused.
    """
    wanted = EPISODES * n_agents * n_outputs
    problems = []
    device = next(agent.parameters()).device
    for shape in ((EPISODES * n_agents, n_inputs), (EPISODES, n_agents, n_inputs)):
        inputs = torch.zeros(shape, device=device)
        problem = _problem(copy.deepcopy(agent), inputs, n_agents, wanted, memory)
        if problem is None:
            return len(shape) == 3
        problems.append(f"  inputs {shape}: {problem}")
    raise UserError(
        f"agent={name} does not fit here, where it is called with inputs and hidden states and "
        f"must answer with a pair: {n_outputs} outputs for each agent, and hidden states.\n"
        + "\n".join(problems)
        + "\nRegister the controller and the learner that it was written for, too; that controller "
        "must not be a subclass of our BasicMAC."
    )


def _problem(
    agent: Any, inputs: Tensor, n_agents: int, wanted: int, memory: Tensor | None
) -> str | None:
    """What goes wrong with a call on `inputs`, if anything."""
    try:
        with torch.no_grad(), torch.random.fork_rng(devices=[]):
            first = agent.init_hidden().unsqueeze(0) if memory is None else memory[:1]
            hidden = first.expand(EPISODES, n_agents, -1)
            answer = agent(inputs, hidden)
    except Exception as error:
        return f"{type(error).__name__}: {str(error).splitlines()[0]}"
    if not isinstance(answer, tuple) or len(answer) != 2:
        return f"the answer is {described(answer)}"
    outputs, hidden = answer
    if not isinstance(hidden, Tensor):
        return f"the hidden states are {described(hidden)}"
    if not isinstance(outputs, Tensor) or outputs.numel() != wanted:
        return f"the outputs are {described(outputs)}"
    return None
