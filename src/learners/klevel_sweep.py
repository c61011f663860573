"""One level of K levels in turns: a sweep over the agents."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn

from learners.objective import Order, TurnObjective
from learners.optim import Gradients, flatten


class Swept(NamedTuple):
    """What one sweep of agents did."""

    loss: Tensor  # the turns' mean
    norm: Tensor  # of all gradients together, before clipping
    gradient: Tensor  # of all turns


def sweep(
    objective: TurnObjective,
    answer: Callable[[int], Tensor],
    order: Order,
    others: Tensor,
    params: Sequence[nn.Parameter],
    move: Callable[[Gradients], Tensor],
) -> Swept:
    """Each agent's turn: a step against `others` (B, T, N, ...), and its new answer among them."""
    losses, norms, slopes = [], [], []
    for agent, own in order:
        loss = objective.in_turn(agent, others)
        found = torch.autograd.grad(loss, own, retain_graph=True, allow_unused=True)
        slopes.append(flatten([slope for slope in found if slope is not None]))
        of = dict(zip(own, found, strict=True))
        norms.append(move([of.get(param) for param in params]))
        with torch.no_grad():
            others[:, :, agent : agent + 1] = answer(agent)
        losses.append(loss.detach())
    return Swept(torch.stack(losses).mean(), torch.stack(norms).norm(), torch.cat(slopes))
