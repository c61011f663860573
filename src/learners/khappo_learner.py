"""K-HAPPO: K-level policy gradients whose levels are sweeps of agents in turn."""

from __future__ import annotations

from collections.abc import Sequence
from types import SimpleNamespace

import torch
from torch import Tensor

from components.experience import Experience, mean_over
from components.minibatch import View
from components.scheme import Scheme
from controllers.contract import MAC
from learners.contract import Statistics
from learners.happo_learner import HAPPOLearner
from learners.klevel_round import KLevelRounds
from learners.klevel_sweep import KLevelTurns
from learners.mappo_learner import of_update
from learners.objective import Drawing
from learners.round import Round
from learners.surrogate import OWN_LIMIT, others_ratio
from learners.turns import Turn, TurnSurrogate
from policies.contract import Policy
from policies.one_agent import OneAgent
from utils.logging import Logger


class KHAPPOLearner(KLevelRounds, KLevelTurns, HAPPOLearner):
    """Each step of the actors is `k_level` sweeps, of which the last one moves them.

    `k_level` 1 is HAPPO with one gradient step in a turn. More epochs and minibatches are more
    steps, each with its own sweeps: those of an agent do not follow one another, as HAPPO's do.
    """

    needs = HAPPOLearner.needs.also(KLevelTurns.needs)

    def __init__(self, mac: MAC, scheme: Scheme, logger: Logger, args: SimpleNamespace) -> None:
        super().__init__(mac, scheme, logger, args)
        self.shadows = [OneAgent(self.levels.shadow, i) for i in range(args.n_agents)]

    def learn(self, episodes: Round, t_env: int, diagnose: bool) -> Statistics:
        rows, turns = self.in_rows(episodes).without_padding(), self.turns(episodes)

        def improve(played: Experience, last: bool) -> Statistics:
            of_critic = self.improve_critic(played)
            return {**of_critic, **self.improve_in_turns(turns, played, t_env, last)}

        return self.in_epochs(rows, improve, diagnose)

    def improve_in_turns(
        self, turns: Sequence[Turn], played: Experience, t_env: int, diagnose: bool
    ) -> Statistics:
        """One step of all agents, by sweeps."""
        objective = SweepObjective(self, [turn.agent for turn in turns], played)

        def respond(policy: Policy, how: Drawing, i: int) -> Tensor:
            """How probable agent i of this policy holds its stored actions. (R, L, 1)"""
            agents = self.agents if policy is self.policy else self.shadows
            return evaluate(agents[i], i, played)[0]

        order = [(turn.agent, self.own_params[turn.agent]) for turn in turns]
        step = self.step_in_turns(objective, respond, order, t_env, diagnose)
        if not diagnose:
            return {}
        return of_update(step, objective.ratio, objective.entropy, played, self.args.eps_clip)


class SweepObjective:
    """J_i of one agent after the other, against what all others are known or expected to become."""

    def __init__(self, learner: KHAPPOLearner, turns: Sequence[int], played: Experience) -> None:
        self._learner, self._played = learner, played
        constant = played.log_probs.split(1, dim=2)
        owns, entropies = list(constant), [torch.zeros_like(own) for own in constant]
        for i in turns:
            owns[i], outputs = evaluate(learner.agents[i], i, played)
            entropies[i] = learner.agents[i].head.entropy(outputs, played.of_agent(i).avail)
        self._owns, self._entropies = owns, entropies
        self.own, self.entropy = torch.cat(owns, dim=2), torch.cat(entropies, dim=2)  # (R, L, N)

    @property
    def ratio(self) -> Tensor:
        """To the policies that acted. (R, L, N)"""
        return (self.own - self._played.log_probs).clamp(max=OWN_LIMIT).exp()

    def in_turn(self, agent: int, others: Tensor) -> Tensor:
        learner, change = self._learner, others - self._played.log_probs
        change[:, :, agent] = 0
        weight = learner.weight(change.sum(dim=-1, keepdim=True))
        played = self._played.of_agent(agent)._replace(weight=weight)
        own, entropy = self._owns[agent], self._entropies[agent]
        args = learner.args
        return TurnSurrogate(own, entropy, played, args, learner.gain, args.eps_clip).base()

    def diagnostics(self, others: Tensor | None) -> dict[str, Tensor]:
        """How much what the others become reweighs the agents' steps."""
        if others is None:
            return {}
        change = (others_ratio(others, self._played.log_probs) - 1).abs()
        return {"others_ratio": mean_over(change, self._played.deciding)}


def evaluate(agent: OneAgent, i: int, played: Experience) -> tuple[Tensor, Tensor]:
    """Agent i's log-probabilities of its stored actions (R, L, 1), and its outputs."""
    own = played.of_agent(i)
    view = agent.view(View(played.inputs, played.memory, played.running))
    return agent.evaluate(view, own.avail, own.actions)
