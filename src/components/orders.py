"""Who hears whom in a slot, and who acts when: matrices and masks that policies act by."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from utils.errors import UserError


def full(n_agents: int) -> Tensor:
    """Everybody hears all with smaller numbers. (N, N)"""
    return torch.ones(n_agents, n_agents, dtype=torch.bool).tril(-1)


def empty(n_agents: int) -> Tensor:
    """Nobody hears anybody. (N, N)"""
    return torch.zeros(n_agents, n_agents, dtype=torch.bool)


def chain(n_agents: int) -> Tensor:
    """Everybody hears the one before. (N, N)"""
    return torch.eye(n_agents, dtype=torch.bool).roll(1, dims=0).tril(-1)


ORDERS: dict[str, Callable[[int], Tensor]] = {
    "sequential": full,
    "reverse": lambda n_agents: full(n_agents).t(),
}
GRAPHS: dict[str, Callable[[int], Tensor]] = {"empty": empty, "chain": chain, "full": full}


def earlier(places: Tensor) -> Tensor:
    """Everybody hears all whose place in the order is lower. (..., N) -> (..., N, N)"""
    return places.unsqueeze(-2) < places.unsqueeze(-1)


def turns(listens: Tensor) -> list[Tensor]:
    """Who acts at each turn: those who hear only agents that have acted.

    listens (..., N, N) is true at [i, j] if i hears j -> a mask (..., N) for each turn
    """
    waiting = torch.ones_like(listens[..., 0])  # (..., N)
    order = []
    while waiting.any():
        acting = waiting & ~(listens & waiting.unsqueeze(-2)).any(dim=-1)
        if not acting.any():
            raise UserError("Agents hear one another in a circle, so that nobody can begin.")
        order.append(acting)
        waiting = waiting & ~acting
    return order


def in_words(listens: Tensor) -> str:
    """Who hears whom, for people: "1 hears 0; 2 hears 0, 1"."""
    heard = [(i, row.nonzero().flatten().tolist()) for i, row in enumerate(listens)]
    return "; ".join(f"{i} hears {', '.join(map(str, whom))}" for i, whom in heard if whom)
