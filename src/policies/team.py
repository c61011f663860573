"""The policy of a team that one network acts for: agents hear each other inside the network."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, NamedTuple

import torch
from torch import Tensor

from components.minibatch import Minibatch, View, Views
from components.parts import action_field
from learners import REGISTRY as LEARNERS
from modules.agents import REGISTRY as AGENTS
from modules.agents.team import TeamNetwork, is_team_network
from modules.sizes import flat_size
from policies.contract import Observed
from policies.independent import EVERY_ROW, IndependentPolicy
from utils.errors import UserError
from utils.needs import Given, Needs


def one_network_for_all(policy: type, given: Given) -> None:
    """Which acts for everybody, and is learned from rows that hold what everybody did."""
    reads = getattr(LEARNERS[given["learner"]], "reads", "outputs")
    if not is_team_network(AGENTS[given["agent"]]):
        raise UserError(
            f"mac={given['mac']} asks one network for all agents' actions, and "
            f"agent={given['agent']} answers for each agent alone. Type agent=mat, or "
            "mac=basic_mac."
        )
    if not given["share_parameters"]:
        raise UserError(
            f"agent={given['agent']} is one network for the whole team, which cannot be split. "
            "Type share_parameters=True."
        )
    if given.learns and reads != "rows":
        raise UserError(
            f"agent={given['agent']} tells agents what others do in the same slot, and "
            f"learner={given['learner']} does not ask how probable stored actions are. "
            "Type learner=team_learner, or start from --config=mat."
        )


class Evaluated(NamedTuple):
    """What one pass through the network says of stored actions, and of where they were taken."""

    log_probs: Tensor  # (..., N)
    outputs: Tensor  # (..., N, A')
    values: Tensor  # (..., N)


class TeamPolicy(IndependentPolicy):
    """A slot's actions are inputs like any others, so that learning repeats what was drawn.

    Inputs hold what each agent sees and its own action (..., N, F + A).
    """

    needs = Needs(demands=(one_network_for_all,))
    judges = True
    agent: TeamNetwork

    def __init__(self, scheme: dict[str, Any], groups: Any, args: SimpleNamespace) -> None:
        self._action_size = flat_size(scheme[action_field(scheme)]["vshape"])
        super().__init__(scheme, groups, args)
        self.packs = not self.recurrent  # a memory of matrices takes rows as they are

    def _build_agent(self, input_size: int) -> TeamNetwork:
        kind: type[TeamNetwork] = AGENTS[self.args.agent]
        return kind(input_size, self._action_size, self.head.n_outputs, self.args)

    # Acting

    def act(
        self,
        seen: Observed,
        memory: Tensor,
        t_env: int,
        testing: bool = False,
        rows: Any = EVERY_ROW,
    ) -> tuple[Tensor, Tensor]:
        """The network looks once and says for each agent in turn. All draw every time; what counts
        is what an agent draws once all before it have acted.
        """
        own = self.inputs_of(seen).unsqueeze(1)  # (B, 1, N, F)
        avail = seen.avail.to(own.device)[rows]
        looked = self.agent.look(own, memory)
        done = own.new_zeros(*own.shape[:3], self._action_size)  # (B, 1, N, A)
        for turn in self._turns():
            said = self.agent.say(looked, done)
            stored = self.selector.choose(said.outputs[rows, 0], avail, t_env, testing)
            done[rows, 0, turn] = self.head.vector(stored).to(done)[:, turn]
        return self.head.stored(done[rows, 0]), self.agent.remember(looked, said)[:, 0]

    def _turns(self) -> list[slice]:
        """Whose actions each pass decides."""
        if not self.agent.hears:
            return [slice(None)]
        return [slice(i, i + 1) for i in range(self.n_agents)]

    def one_slot(self, inputs: Tensor, memory: Tensor) -> tuple[Tensor, Tensor]:
        """As it was played: (B, N, F + A), (B, N, M) -> outputs (B, N, A'), memory (B, N, M)"""
        outputs, memory = self.agent.unroll(inputs.unsqueeze(1), memory)
        return outputs[:, 0], memory[:, 0]

    # Learning

    def judge(self, batch: Any) -> Tensor:
        """Values of every slot of the batch, the last ones' included. (B, T + 1, N)"""
        view = super().whole(batch, batch.max_seq_length)
        return self.agent.look(view.inputs, view.start).values

    def evaluate_and_judge(self, view: View, avail: Tensor, actions: Tensor) -> Evaluated:
        """`evaluate`, and values from the same pass."""
        looked, said = self.agent.both(view.inputs, view.start)
        return Evaluated(
            self.head.log_prob(said.outputs, avail, actions), said.outputs, looked.values
        )

    def look(self, minibatch: Minibatch) -> Views:
        views = super().look(minibatch)
        if not self.packs:  # they are those of `whole`
            return views
        inputs = with_actions(
            views.all.inputs, minibatch.slots.take(self._actions(minibatch.batch))
        )
        return Views(*(view._replace(inputs=inputs) for view in views))

    def whole(self, batch: Any, n_slots: int) -> View:
        view = super().whole(batch, n_slots)
        return view._replace(inputs=with_actions(view.inputs, self._actions(batch)[:, :n_slots]))

    def inputs_at(self, batch: Any, t: int) -> Tensor:
        return with_actions(super().inputs_at(batch, t), self._actions(batch)[:, t])

    def _actions(self, batch: Any) -> Tensor:
        """(B, T + 1, N, A)"""
        return batch[self._action_field]


def with_actions(inputs: Tensor, actions: Tensor) -> Tensor:
    """(..., N, F), (..., N, A) -> (..., N, F + A)"""
    return torch.cat([inputs, actions.to(inputs)], dim=-1)
