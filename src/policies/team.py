"""The policy of a team that one network acts for: agents hear each other inside the network."""

from __future__ import annotations

from typing import Any, NamedTuple

import torch
from torch import Tensor

from components.minibatch import View
from components.orders import empty, full
from learners import REGISTRY as LEARNERS
from modules.agents import REGISTRY as AGENTS
from modules.agents.team import TeamNetwork, is_team_network
from policies.contract import Observed
from policies.hearing import HearingPolicy, learns_from_own_rows
from policies.independent import EVERY_ROW, IndependentPolicy
from utils.errors import UserError
from utils.needs import Given, Needs


def one_network_for_all(policy: type, given: Given) -> None:
    """Refuse agents that answer for themselves."""
    if not is_team_network(AGENTS[given["agent"]]):
        raise UserError(
            f"mac={given['mac']} asks one network for all agents' actions, and "
            f"agent={given['agent']} answers for each agent alone. Type agent=mat, or "
            "mac=basic_mac."
        )
    if getattr(LEARNERS[given["learner"]], "in_turns", False):
        raise UserError(
            f"learner={given['learner']} lets agents learn one after the other, and "
            f"agent={given['agent']} is one network for all of them. Type learner=team_learner "
            "share_parameters=True, or mac=basic_mac agent=rnn."
        )
    if not given["share_parameters"]:
        raise UserError(
            f"agent={given['agent']} is one network for the whole team, which cannot be split. "
            "Type share_parameters=True."
        )


class Evaluated(NamedTuple):
    """What one pass through the network says of stored actions, and of where they were taken."""

    log_probs: Tensor  # (..., N)
    outputs: Tensor  # (..., N, A')
    values: Tensor  # (..., N)


class TeamPolicy(HearingPolicy):
    """The network sees all agents' rows at once, and judges. Its memory may hear actions, too."""

    needs = Needs(demands=(one_network_for_all, learns_from_own_rows))
    judges = True
    agent: TeamNetwork

    def who_hears_whom(self) -> Tensor:
        return (full if self.agent.hears else empty)(self.n_agents)

    def take(self, agent: TeamNetwork) -> None:
        super().take(agent)
        self.packs = not agent.recurrent  # a memory of matrices takes rows as they are

    def new_agent(self, input_size: int) -> TeamNetwork:
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
        """The network encodes once, and decodes until all have heard what those before them do.

        Given a guess of the actions, what the first agent draws is right; then what the second
        draws by the same random numbers, and so on. All are after N passes, or as soon as a pass
        changes nothing (Jacobi's iteration; Song et al. 2021). Where every pass draws anew, only
        those count whose turn it is.
        """
        own = self.inputs_of(seen).unsqueeze(1)  # (B, 1, N, F)
        avail = seen.avail.to(own.device)[rows]
        encoded = self.agent.encode(own, memory)
        actions = own.new_zeros(*own.shape[:3], self._action_size)  # (B, 1, N, A)
        choose = self.selector.repeatable(avail, t_env, testing)
        for acting in self.turns:  # (N,)
            decoded, before = self.agent.decode(encoded, actions), actions[rows, 0]
            outputs = decoded.outputs[rows, 0]
            if choose is not None:
                drawn = choose(outputs)  # (b, N, A)
                if torch.equal(drawn, before):
                    break
            else:
                drawn = self.head.vector(self.selector.choose(outputs, avail, t_env, testing))
                drawn = torch.where(acting.to(own.device).unsqueeze(-1), drawn.to(own), before)
            actions[rows, 0] = drawn
        stored = self.head.stored(actions[rows, 0])
        return stored, self.agent.remember(encoded, decoded)[:, 0]

    def one_slot(self, inputs: Tensor, memory: Tensor) -> tuple[Tensor, Tensor]:
        """As it was played: (B, N, F + A), (B, N, M) -> outputs (B, N, A'), memory (B, N, M)"""
        outputs, memory = self.agent.unroll(inputs.unsqueeze(1), memory)
        return outputs[:, 0], memory[:, 0]

    # Learning

    def evaluate_and_judge(self, view: View, avail: Tensor, actions: Tensor) -> Evaluated:
        """`evaluate`, and values from the same pass."""
        encoded, decoded = self.agent.both(view.inputs, view.start)
        log_probs = self.head.log_prob(decoded.outputs, avail, actions)
        return Evaluated(log_probs, decoded.outputs, encoded.values())

    def unroll(self, view: View) -> tuple[Tensor, Tensor]:
        return IndependentPolicy.unroll(self, view)

    # Judging

    @property
    def judging(self) -> TeamNetwork:
        """The network that values come out of."""
        return self.agent

    def judge(self, batch: Any) -> Tensor:
        """Values of every slot of the batch, the one after the last included. (B, T + 1, N)"""
        return self.values(IndependentPolicy.whole(self, batch, batch.max_seq_length))

    def values(self, view: View) -> Tensor:
        """Of rows that hold what agents see, without what they do (R, L, N, F). (R, L, N)"""
        return self.agent.encode(view.inputs, view.start).values()
