"""In which order agents learn that do so in turns: the values of `turn_order`."""

from __future__ import annotations

from collections.abc import Callable

import torch

from components.experience import mean_over
from learners.round import Round


def at_random(episodes: Round) -> list[int]:
    order: list[int] = torch.randperm(episodes.deciding.shape[2]).tolist()
    return order


def cyclic(episodes: Round) -> list[int]:
    return list(range(episodes.deciding.shape[2]))


def reverse(episodes: Round) -> list[int]:
    return cyclic(episodes)[::-1]


@torch.no_grad()
def semi_greedy(episodes: Round) -> list[int]:
    """Every other place goes to the agent with most to learn, those between by lot (A2PO).

    That is the mean of |A_i / V_i|, as in A2PO's code; the paper has |A_i|.
    """
    sizes = (episodes.returns - episodes.values).abs() / episodes.values.abs().clamp_min(1e-8)
    steps = zip(sizes.unbind(dim=2), episodes.deciding.unbind(dim=2), strict=True)
    scores = torch.stack([mean_over(size, deciding) for size, deciding in steps]).tolist()  # (N,)
    waiting = sorted(range(len(scores)), key=lambda i: -scores[i])
    order: list[int] = []
    while waiting:
        by_lot = len(order) % 2 == 1
        order.append(waiting.pop(int(torch.randint(len(waiting), ())) if by_lot else 0))
    return order


Order = Callable[[Round], list[int]]
ORDERS: dict[str, Order] = {
    "random": at_random,
    "cyclic": cyclic,
    "reverse": reverse,
    "semi_greedy": semi_greedy,
}
