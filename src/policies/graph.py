"""Agents that hear those before them in a graph, as in a Bayesian network."""

from __future__ import annotations

from torch import Tensor

from components.orders import GRAPHS
from policies.hearing import HearingPolicy


class GraphPolicy(HearingPolicy):
    """Everybody hears nobody, the one before, or all before: `graph: empty | chain | full`."""

    needs = HearingPolicy.needs.also(uses={"graph"})

    def who_hears_whom(self) -> Tensor:
        return GRAPHS[self.args.graph](self.n_agents)
