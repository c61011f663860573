"""Policies of agents that hear what some of the others do in the same slot."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import torch
from torch import Tensor

from components.minibatch import Minibatch, View, Views
from components.orders import in_words, turns
from components.parts import NOISE, action_field
from learners import REGISTRY as LEARNERS
from learners.demands import VALUE_AGENTS
from modules.agents import REGISTRY as AGENTS
from modules.agents.conditioned import conditioned
from modules.agents.separate import own_rows
from modules.sizes import flat_size
from policies.contract import Observed
from policies.independent import EVERY_ROW, IndependentPolicy, at_slots
from pymarl.runners import is_ours
from runners import REGISTRY as RUNNERS
from utils.errors import UserError
from utils.needs import Given, Needs


def learns_from_own_rows(policy: type, given: Given) -> None:
    """Others would draw actions anew, and hear those that are stored."""
    reads = getattr(LEARNERS[given["learner"]], "reads", "outputs")
    if given.learns and reads != "rows":
        raise UserError(
            f"mac={given['mac']} tells agents what others do in the same slot, and "
            f"learner={given['learner']} learns from what they did before, or compares actions as "
            "if nobody had heard them. Type mac=basic_mac, or a learner that asks how probable "
            "stored actions are, as mappo_learner, ippo_learner, kmappo_learner and all that learn "
            "in turns do."
        )


def refuse_runners_that_forget(what: str, instead: str, given: Given) -> None:
    """Only ours keep the random numbers that acting depended on."""
    if not is_ours(RUNNERS[given["runner"]]):
        raise UserError(
            f"{what} that have to be kept, and runner={given['runner']} does not know of them. "
            f"Type {instead}, or runner=batched."
        )


def agents_can_be_told(policy: type, given: Given) -> None:
    """Networks that choose actions, and where a projection takes the place of their last layer
    those that can do without."""
    kind, agent = AGENTS[given["agent"]], given["agent"]
    if getattr(kind, "hears", False):
        return
    if agent in VALUE_AGENTS:
        raise UserError(
            f"mac={given['mac']} tells agents that choose actions what others do, and "
            f"agent={agent} values them. Type agent={VALUE_AGENTS[agent]}."
        )
    if given["told_through"] == "projection" and not hasattr(kind, "without_outputs"):
        raise UserError(
            f"told_through=projection takes the place of a network's last layer, and agent={agent} "
            "has no method `without_outputs` to leave its own out. Type told_through=head, or "
            "agent=rnn or agent=mlp."
        )


class HearingPolicy(IndependentPolicy):
    """Agents decide in turns; each is told the actions of those that it hears.

    A slot's action is an input like any other: stored actions are told when a batch is learned
    from, so that log-probabilities are those that were drawn with, and learners change nothing.
    Inputs hold each agent's own action, and the random numbers that the slot's order was drawn by
    where there are any (..., N, F + A + W); who hears whom is unfolded in the networks alone.
    Memory hears no actions of the slot, so it goes on once, whatever the number of turns.
    """

    needs = Needs(
        demands=(learns_from_own_rows, agents_can_be_told), uses=frozenset({"told_through"})
    )

    def __init__(self, scheme: dict[str, Any], groups: Any, args: SimpleNamespace) -> None:
        self._action_size = flat_size(scheme[action_field(scheme)]["vshape"])
        super().__init__(scheme, groups, args)
        self._widths = [self.input_size(scheme), self._action_size, self.noise_size(args)]
        self.hears = self.who_hears_whom().bool()
        self.turns = [] if self.noise_size(args) else turns(self.hears)

    def who_hears_whom(self) -> Tensor:
        """(N, N), true at [i, j] if i hears what j does; nobody may hear itself, even on ways.

        Where that differs from slot to slot, whom each agent may ever hear.
        """
        raise NotImplementedError

    def listens(self, own: Tensor, noise: Tensor) -> Tensor:
        """Who hears whom where agents see `own` (..., N, F) and drew `noise` (..., N, W).

        (N, N) where that is always the same, else (..., N, N).
        """
        if self.hears.device != own.device:
            self.hears = self.hears.to(own.device)
        return self.hears

    def in_words(self) -> str:
        """Who hears whom, for the head of a run."""
        return f"agents hear others: {in_words(self.hears) or 'nobody anybody'}"

    # Acting

    def act(
        self,
        seen: Observed,
        memory: Tensor,
        t_env: int,
        testing: bool = False,
        rows: Any = EVERY_ROW,
    ) -> tuple[Tensor, Tensor]:
        """Networks encode once. All agents draw at every turn; what counts is drawn once all have
        acted that one hears.
        """
        own = self.inputs_of(seen)  # (B, N, F)
        noise = own[..., :0] if seen.noise is None else seen.noise.to(own)  # (B, N, W)
        listens = self.listens(own, noise)
        features, memory = super().one_slot(own, memory)
        features, avail = features[rows], seen.avail.to(own.device)[rows]
        if listens.ndim > 2:
            listens = listens[rows]  # (b, N, N)
        actions = features.new_zeros(*features.shape[:2], self._action_size)  # (b, N, A)
        for acting in self.turns or turns(listens.bool()):  # (N,) or (b, N)
            outputs = self.agent.decode(features, actions, listens)
            stored = self.selector.choose(outputs, avail, t_env, testing)
            drawn = self.head.vector(stored).to(actions)
            actions = torch.where(acting.to(actions.device).unsqueeze(-1), drawn, actions)
        return self.head.stored(actions), memory

    def draw_noise(self, n_episodes: int, testing: bool = False) -> Tensor | None:
        size = self.noise_size(self.args)
        if not size:
            return None
        return torch.rand(n_episodes, self.n_agents, size, dtype=torch.float32)

    def one_slot(self, inputs: Tensor, memory: Tensor) -> tuple[Tensor, Tensor]:
        """As it was played: (B, N, F + A + W), (B, N, H) -> outputs (B, N, A'), memory (B, N, H)"""
        own, actions, noise = self.apart(inputs)
        features, memory = super().one_slot(own, memory)
        return self.agent.decode(features, actions, self.listens(own, noise)), memory

    # Learning

    def apart(self, inputs: Tensor) -> list[Tensor]:
        """Own inputs (..., N, F), actions (..., N, A) and noise (..., N, W).

        Products over rows with gaps between them may round otherwise than those of plain policies.
        """
        own, *told = inputs.split(self._widths, dim=-1)
        return [own.contiguous(), *told]

    def unroll(self, view: View) -> tuple[Tensor, Tensor]:
        own, *told = self.apart(view.inputs)
        features, memory = super().unroll(view._replace(inputs=own))
        if view.asked is not None:
            own, *told = (at_slots(values, view.asked) for values in (own, *told))
        actions, noise = told
        return self.agent.decode(features, actions, self.listens(own, noise)), memory

    def alone(self, agent: int, view: View) -> View:
        """All inputs, for it may hear all."""
        return view._replace(start=super().alone(agent, view).start)

    def unroll_alone(self, agent: int, view: View) -> tuple[Tensor, Tensor]:
        own, actions, noise = self.apart(view.inputs)
        # Memory hears no actions: who differentiates by them need not go back through it.
        mine = view._replace(inputs=own_rows(own.detach(), agent))
        features, memory = super().unroll_alone(agent, mine)
        listens = self.listens(own, noise)
        return self.agent.decode_alone(agent, features, actions, listens), memory

    def open_to_actions(self, view: View) -> tuple[View, Tensor]:
        """The view with actions (..., N, A) that outputs can be differentiated by."""
        own, actions, noise = self.apart(view.inputs)
        actions = actions.detach().clone().requires_grad_()
        return view._replace(inputs=side_by_side(own, actions, noise)), actions

    def graphs(self, view: View) -> Tensor:
        """Who hears whom in each slot: (R, L, N, N), 1 at [i, j] if i hears j."""
        own, _, noise = self.apart(view.inputs)
        return self.listens(own, noise).expand(*own.shape[:-1], -1)

    def views(self, minibatch: Minibatch) -> Views:
        views = super().views(minibatch)
        if not self.packs:  # they are those of `whole`
            return views
        told = (minibatch.slots.take(values) for values in self._told(minibatch.batch))
        inputs = side_by_side(views.all.inputs, *told)
        return Views(*(view._replace(inputs=inputs) for view in views))

    def whole(self, batch: Any, n_slots: int) -> View:
        view = super().whole(batch, n_slots)
        told = (values[:, :n_slots] for values in self._told(batch))
        return view._replace(inputs=side_by_side(view.inputs, *told))

    def inputs_at(self, batch: Any, t: int) -> Tensor:
        told = (values[:, t] for values in self._told(batch))
        return side_by_side(super().inputs_at(batch, t), *told)

    def _told(self, batch: Any) -> list[Tensor]:
        """What inputs hold besides: actions (B, T, N, A), and noise (B, T, N, W) if it is drawn."""
        fields = [self._action_field] + [NOISE] * bool(self.noise_size(self.args))
        return [batch[field] for field in fields]

    # Networks

    def new_agent(self, input_size: int) -> Any:
        kind = AGENTS[self.args.agent]
        if getattr(kind, "hears", False):
            return kind(input_size, self.args)
        base, listens = super().new_agent(input_size), self.who_hears_whom()
        return conditioned(base, self._action_size, self.head.n_outputs, listens, self.args)


def side_by_side(*values: Tensor) -> Tensor:
    """(..., N, F), (..., N, A), ... -> (..., N, F + A + ...)"""
    return torch.cat([values[0], *(each.to(values[0]) for each in values[1:])], dim=-1)
