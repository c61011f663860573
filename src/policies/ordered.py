"""Agents that decide one after the other, each told what all before it have just done (ARMAPPO)."""

from __future__ import annotations

from types import SimpleNamespace

import torch
from torch import Tensor

from components.orders import ORDERS, earlier
from policies.hearing import HearingPolicy, refuse_runners_that_forget
from utils.needs import Given

RANDOM = "random"


def drawn_orders_are_kept(policy: type, given: Given) -> None:
    """Learning has to know the order that actions were drawn in."""
    if given["agent_order"] == RANDOM:
        what = "agent_order=random draws orders"
        refuse_runners_that_forget(what, "agent_order=sequential", given)


class OrderedPolicy(HearingPolicy):
    """Each hears all before it in `agent_order`: by number, the last one first, or as drawn.

    A drawn order is that of uniform numbers, one for each agent, which are kept with the slot.
    """

    needs = HearingPolicy.needs.also(demands=(drawn_orders_are_kept,), uses={"agent_order"})

    def who_hears_whom(self) -> Tensor:
        if self.args.agent_order == RANDOM:
            return ~torch.eye(self.n_agents, dtype=torch.bool)
        return ORDERS[self.args.agent_order](self.n_agents)

    @classmethod
    def noise_size(cls, args: SimpleNamespace) -> int:
        return int(args.agent_order == RANDOM)

    def listens(self, own: Tensor, noise: Tensor) -> Tensor:
        drawn = self.args.agent_order == RANDOM
        return earlier(noise.squeeze(-1)) if drawn else super().listens(own, noise)

    def in_words(self) -> str:
        if self.args.agent_order == RANDOM:
            return "agents hear all before them, in an order drawn in every slot"
        return super().in_words()
