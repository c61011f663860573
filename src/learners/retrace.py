"""How the actors came to what they did in a batch: the way through it once more."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from components.episode_buffer import EpisodeBatch
from components.parts import MEMORY
from components.steps import Steps, running_rows
from modules.agents.gru import Running
from utils.overrides import speaks_for


def policies(mac: Any, batch: EpisodeBatch, n_slots: int) -> Tensor:
    """What the actors draw from in the first slots, as probabilities. (B, T, N, A)"""
    if not hasattr(mac, "interpret"):
        mac.init_hidden(batch.batch_size)
        return torch.stack([mac.forward(batch, t=t) for t in range(n_slots)], dim=1)
    outputs, _ = unrolled_inputs(mac, *actor_inputs(mac, batch, n_slots))
    return mac.interpret(outputs, batch["avail_actions"][:, :n_slots])


def actor_inputs(mac: Any, batch: EpisodeBatch, n_slots: int) -> tuple[Tensor, Tensor]:
    """What the actors see in the first slots (B, T, N, F), and their memory before (B, N, H)."""
    B, N = batch.batch_size, mac.n_agents
    if MEMORY in batch.scheme:
        start = batch[MEMORY]
    else:
        mac.init_hidden(B)
        start = mac.hidden_states.reshape(B, N, -1)
    if speaks_for(type(mac), "build_all_inputs", "_build_inputs"):
        return mac.build_all_inputs(batch, n_slots), start
    slots = [mac._build_inputs(batch, t).reshape(B, N, -1) for t in range(n_slots)]
    return torch.stack(slots, dim=1), start


def unrolled_inputs(
    mac: Any, inputs: Tensor, start: Tensor, running: Running = None
) -> tuple[Tensor, Tensor]:
    """The actors' raw outputs and memory for rows of inputs (R, L, N, F), from `start` (R, N, H).

    -> (R, L, N, A), (R, L, N, H); or all (1, n, N, ...) where `running` rows reach each slot.
    """
    if unrolls(mac):
        return mac.agent.unroll(inputs, start, running)
    R, L, N, _ = inputs.shape
    hidden, outputs, states = start, [], []
    for t in range(L):
        slot = inputs[:, t].contiguous()  # (R, N, F); networks of others call `view`
        slot = slot if getattr(mac, "takes_teams", False) else slot.flatten(0, 1)
        output, hidden = mac.agent(slot, hidden)
        outputs.append(output.reshape(R, N, -1))
        states.append(hidden.reshape(R, N, -1))
    return torch.stack(outputs, dim=1), torch.stack(states, dim=1)


def unrolled_steps(mac: Any, inputs: Tensor, start: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
    """The same where `mask` (R, L, 1) is 1, computed for those slots alone; else zeros."""
    steps = Steps(mask)
    order = steps.ordered(mask) if unrolls(mac) else None
    if order is None:
        return unrolled_inputs(mac, inputs, start)
    running = running_rows(mask)
    start = start[order[: running[0]]]  # a part may have no steps at all
    outputs, hidden = unrolled_inputs(mac, steps.take(inputs), start, running)
    return steps.put(outputs), steps.put(hidden)


def unrolls(mac: Any) -> bool:
    """Whether its agents take many slots at once; those written for PyMARL do not."""
    return getattr(mac, "unrolls", False)
