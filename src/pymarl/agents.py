"""Networks of agents that know only PyMARL's `forward`: how their inputs must lie."""

from __future__ import annotations

import copy
from typing import Any

import torch
from torch import Tensor

from pymarl.acting import described
from utils.errors import UserError

EPISODES = 2


def takes_teams(agent: Any, n_inputs: int, n_agents: int, n_outputs: int, name: str) -> bool:
    """Whether the network takes (B, N, F), as those of PyMARL2 do, and not (B*N, F).

    It is found out by asking a copy once. A network that answers neither is refused.
    """
    wanted = EPISODES * n_agents * n_outputs
    problems = []
    for shape in ((EPISODES * n_agents, n_inputs), (EPISODES, n_agents, n_inputs)):
        problem = _problem(copy.deepcopy(agent), torch.zeros(shape), n_agents, wanted)
        if problem is None:
            return len(shape) == 3
        problems.append(f"  inputs {shape}: {problem}")
    raise UserError(
        f"agent={name} does not fit mac=basic_mac, which calls it with inputs and hidden states "
        f"and takes a pair: {n_outputs} outputs for each agent, and hidden states.\n"
        + "\n".join(problems)
        + "\nRegister the controller that it was written for, too."
    )


def _problem(agent: Any, inputs: Tensor, n_agents: int, wanted: int) -> str | None:
    """What goes wrong with a call on `inputs`, if anything."""
    try:
        with torch.no_grad(), torch.random.fork_rng(devices=[]):
            hidden = agent.init_hidden().unsqueeze(0).expand(EPISODES, n_agents, -1)
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
