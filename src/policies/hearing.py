"""Policies of agents that hear what some of the others do in the same slot."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from components.minibatch import Minibatch, View, Views
from learners import REGISTRY as LEARNERS
from modules.sizes import flat_size
from policies.contract import Observed
from policies.independent import EVERY_ROW, IndependentPolicy
from utils.errors import UserError
from utils.needs import Given, Needs


def learns_from_own_rows(policy: type, given: Given) -> None:
    """Others would draw actions anew, and hear those that are stored."""
    reads = getattr(LEARNERS[given["learner"]], "reads", "outputs")
    if given.learns and reads == "outputs":
        raise UserError(
            f"mac={given['mac']} tells agents what others do in the same slot, and "
            f"learner={given['learner']} learns from what they did before. Use a learner that asks "
            "how probable stored actions are: mappo_learner, ippo_learner, kmappo_learner or "
            "coma_learner."
        )


class HearingPolicy(IndependentPolicy):
    """Agents decide in turns; each is told the actions of those that it hears.

    A slot's action is an input like any other: stored actions are told when a batch is learned
    from, so that log-probabilities are those that were drawn with, and learners change nothing.
    Inputs hold each agent's own action (..., N, F + A); who hears whom is unfolded for the networks
    alone, for it takes N times as much room.
    """

    needs = Needs(demands=(learns_from_own_rows,))

    def who_hears_whom(self) -> Tensor:
        """(N, N), true at [i, j] if i hears what j does; nobody may hear itself, even on ways."""
        raise NotImplementedError

    def input_size(self, scheme: dict[str, Any]) -> int:
        self.hears = self.who_hears_whom().bool()
        self.turns = turns(self.hears)
        self._action_size = flat_size(scheme[self._action_field]["vshape"])
        return super().input_size(scheme) + self.n_agents * self._action_size

    # Acting

    def act(
        self,
        seen: Observed,
        memory: Tensor,
        t_env: int,
        testing: bool = False,
        rows: Any = EVERY_ROW,
    ) -> tuple[Tensor, Tensor]:
        """All agents draw at every turn; what counts is drawn once all have acted that one hears.

        The last turn's memory is everybody's: by then each has been told what it hears.
        """
        avail = seen.avail.to(self.device)
        inputs = self.inputs_of(seen)  # (B, N, F)
        done = inputs.new_zeros(*inputs.shape[:2], self._action_size)  # (B, N, A)
        stored, after = None, memory
        for speaking in self.turns:  # (N,)
            outputs, after = self.one_slot(torch.cat([inputs, done], dim=-1), memory)
            drawn = self.selector.choose(outputs[rows], avail[rows], t_env, testing)
            speaks = speaking.to(drawn.device).unsqueeze(-1)  # (N, 1)
            stored = drawn if stored is None else torch.where(speaks, drawn, stored)
            done[rows] = self.head.vector(stored).to(done)
        assert stored is not None
        return stored, after

    def one_slot(self, inputs: Tensor, memory: Tensor) -> tuple[Tensor, Tensor]:
        return super().one_slot(self.told(inputs), memory)

    # Learning

    def look(self, minibatch: Minibatch) -> Views:
        views = super().look(minibatch)
        if not self.packs:  # they are those of `whole`
            return views
        done = minibatch.slots.take(minibatch.batch[self._action_field])
        inputs = with_actions(views.all.inputs, done)
        return Views(*(view._replace(inputs=inputs) for view in views))

    def whole(self, batch: Any, n_slots: int) -> View:
        view = super().whole(batch, n_slots)
        done = batch[self._action_field][:, :n_slots]
        return view._replace(inputs=with_actions(view.inputs, done))

    def inputs_at(self, batch: Any, t: int) -> Tensor:
        return with_actions(super().inputs_at(batch, t), batch[self._action_field][:, t])

    def unroll(self, view: View) -> tuple[Tensor, Tensor]:
        return super().unroll(view._replace(inputs=self.told(view.inputs)))

    def told(self, inputs: Tensor) -> Tensor:
        """Each agent's row with the actions of those it hears in place of its own.

        (..., N, F + A) -> (..., N, F + N * A)
        """
        A = self._action_size
        own, done = inputs[..., :-A], inputs[..., -A:]
        heard = done.unsqueeze(-3) * self.hears.to(done).unsqueeze(-1)  # (..., N, N, A)
        return torch.cat([own, heard.flatten(-2)], dim=-1)


def with_actions(inputs: Tensor, actions: Tensor) -> Tensor:
    """(..., N, F), (..., N, A) -> (..., N, F + A)"""
    return torch.cat([inputs, actions.to(inputs)], dim=-1)


def turns(hears: Tensor) -> list[Tensor]:
    """Who speaks at each turn: those who hear only agents that have spoken. (N, N) -> (N,) each"""
    waiting, order = torch.ones(len(hears), dtype=torch.bool), []
    while waiting.any():
        speaking = waiting & ~(hears & waiting).any(dim=1)
        if not speaking.any():
            raise UserError("Agents hear one another in a circle, so that nobody can begin.")
        order.append(speaking)
        waiting = waiting & ~speaking
    return order
