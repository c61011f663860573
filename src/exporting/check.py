"""Whether an exported policy decides as the policy that it was made of."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor

from exporting.formats import Function
from exporting.greedy import Decision, GreedyPolicy, Slot

EPISODES, SLOTS, SEED = 5, 6, 0
TOLERANCE = 1e-4  # of continuous actions, which libraries round differently


@torch.no_grad()
def disagreements(policy: GreedyPolicy, exported: Function) -> int:
    """In how many decisions of an agent the two differ, over some slots of random observations.

    Each goes on from its own memory, and its own last actions.
    """
    generator = torch.Generator().manual_seed(SEED)
    mine = theirs = policy.first_slot(EPISODES)
    found = 0
    for _ in range(SLOTS):
        drawn = random_like(mine, generator)
        mine, theirs = mine._replace(**drawn), theirs._replace(**drawn)
        ours = seeded(partial(policy, **mine.given()))
        others = seeded(partial(exported, theirs))
        found += int(differ(ours.actions, others.actions).sum())
        mine = mine._replace(last_actions=ours.action_vectors, memory=ours.next_memory)
        theirs = theirs._replace(last_actions=others.action_vectors, memory=others.next_memory)
    return found


def seeded(decide: Callable[[], Decision]) -> Decision:
    """A search by chance finds the same with the same random numbers."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(SEED)
        return decide()


def random_like(slot: Slot, generator: torch.Generator) -> dict[str, Tensor]:
    """What an environment could say at a slot: every agent has something to do."""
    obs = torch.randn(slot.obs.shape, generator=generator)
    avail = (torch.rand(slot.avail.shape, generator=generator) < 0.7).to(slot.avail)
    avail[..., 0] = 1
    drawn = {"obs": obs, "avail": avail}
    if slot.noise is not None:
        drawn["noise"] = torch.rand(slot.noise.shape, generator=generator)
    return drawn


def differ(actions: Tensor, others: Tensor) -> Tensor:
    """Of each agent's action. (B, N)"""
    if actions.is_floating_point():
        return ((actions - others).abs() > TOLERANCE).any(dim=-1)
    return actions != others
