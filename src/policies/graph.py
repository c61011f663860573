"""Agents that hear those before them in a graph, as in a Bayesian network."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import torch
from torch import Tensor

from components.minibatch import View
from components.orders import GRAPHS
from learners import REGISTRY as LEARNERS
from modules.agents.graph import NO_NOISE, Beliefs, GraphSampler, drawn_graph, noise_size
from policies.hearing import HearingPolicy, refuse_runners_that_forget
from utils.errors import UserError
from utils.needs import Given

LEARNED = "learned"


def drawn_graphs_are_kept(policy: type, given: Given) -> None:
    """Learning has to know the graph that actions were drawn in."""
    if given["graph"] == LEARNED:
        refuse_runners_that_forget("graph=learned draws graphs", "graph=full", given)


def graphs_belong_to_all(policy: type, given: Given) -> None:
    """In turns each agent moves its own parameters only, and the graph's are nobody's own."""
    if given["graph"] == LEARNED and getattr(LEARNERS[given["learner"]], "in_turns", False):
        raise UserError(
            f"graph=learned is learned by all agents together, and learner={given['learner']} lets "
            "them learn one after the other. Type graph=full, or learner=bnmappo_learner."
        )


class GraphPolicy(HearingPolicy):
    """Everybody hears nobody, the one before, or all before: `graph: empty | chain | full`.

    Or a network draws the graph of every slot from what all agents see in it (`learned`), by random
    numbers that are kept with the slot; tests draw none. (Chen and Zhang 2023)
    """

    needs = HearingPolicy.needs.also(
        demands=(drawn_graphs_are_kept, graphs_belong_to_all), uses={"graph"}
    )

    def who_hears_whom(self) -> Tensor:
        if self.args.graph == LEARNED:
            return ~torch.eye(self.n_agents, dtype=torch.bool)
        return GRAPHS[self.args.graph](self.n_agents)

    @classmethod
    def noise_size(cls, args: SimpleNamespace) -> int:
        return noise_size(args.n_agents) if args.graph == LEARNED else 0

    def draw_noise(self, n_episodes: int, testing: bool = False) -> Tensor | None:
        noise = super().draw_noise(n_episodes, testing)
        return torch.full_like(noise, NO_NOISE) if testing and noise is not None else noise

    def listens(self, own: Tensor, noise: Tensor) -> Tensor:
        if self.args.graph != LEARNED:
            return super().listens(own, noise)
        return drawn_graph(self.agent.graph(own), noise)

    def beliefs(self, view: View) -> Beliefs:
        """What learned graphs are drawn from in each slot."""
        own, *_ = self.apart(view.inputs)
        found: Beliefs = self.agent.graph(own)
        return found

    def in_words(self) -> str:
        if self.args.graph == LEARNED:
            return "agents hear those before them in a graph that a network draws in every slot"
        return super().in_words()

    def new_agent(self, input_size: int) -> Any:
        agent = super().new_agent(input_size)
        if self.args.graph == LEARNED:  # a part of the networks, with which it is saved
            agent.graph = GraphSampler(input_size, self.args.rnn_hidden_dim)
        return agent
