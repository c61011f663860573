"""HATRPO: agents take one trust-region step each, in turns (Kuba et al. 2022)."""

from __future__ import annotations

from collections.abc import Iterable
from types import SimpleNamespace
from typing import ClassVar

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from components.experience import Experience, mean_over
from components.minibatch import View
from components.scheme import Scheme
from controllers.contract import MAC
from learners.contract import Statistics
from learners.mappo_learner import of_update
from learners.objective import ActorStep
from learners.optim import build_optimiser
from learners.surrogate import weighted
from learners.trust_region import Limits, TrustRegion, TrustStep
from learners.turns import SequentialLearner, Turn, TurnSurrogate
from utils.errors import UserError
from utils.logging import Logger
from utils.needs import Given


def whole_rounds(learner: type, given: Given) -> None:
    """The limit is on the KL over all that was played."""
    if given["minibatches"] > 1:
        raise UserError(
            f"learner={given['learner']} takes one step in a turn, from the whole round, and "
            f"minibatches={given['minibatches']} would split it. Add: minibatches=1"
        )


def steps_that_may_move(learner: type, given: Given) -> None:
    """Within no limit nobody moves; without damping a Fisher matrix may have no inverse."""
    for key, usual in (("kl_limit", 0.01), ("fisher_damping", 0.1)):
        if given[key] == 0:
            raise UserError(
                f"{key}=0 leaves learner={given['learner']} no step to take. It must be above 0: "
                f"type {key}={usual}"
            )


class HATRPOLearner(SequentialLearner):
    """J_i = M r_i A while KL(old || new) of agent i stays below `kl_limit`.

    The critic takes its `epochs` steps in the first turn. The actors' optimiser is never asked.
    """

    needs = SequentialLearner.needs.without("actor_optimizer").also(
        demands=(whole_rounds, steps_that_may_move),
        uses={
            *("kl_limit", "fisher_damping", "cg_steps"),
            *("search_steps", "search_shrink", "search_accept"),
        },
    )
    gain = staticmethod(weighted)
    mean = staticmethod(mean_over)  # over an agent's steps, of its gain and of KL
    region: ClassVar[type[TrustRegion]] = TrustRegion

    def __init__(self, mac: MAC, scheme: Scheme, logger: Logger, args: SimpleNamespace) -> None:
        super().__init__(mac, scheme, logger, args)
        self.limits = Limits(
            args.kl_limit,
            args.fisher_damping,
            args.cg_steps,
            args.search_steps,
            args.search_shrink,
            args.search_accept,
        )

    def make_agent_optimiser(self, params: Iterable[nn.Parameter]) -> Optimizer:
        """One that takes no step, of the critic's kind, for files have one."""
        return build_optimiser(self.args.optimizer, params, self.args.lr, self.args)

    def take_turn(self, turn: Turn, played: Experience, diagnose: bool) -> Statistics:
        found: Statistics = {}
        if self.critic_learns(turn):
            found = self.in_epochs(played, lambda some, last: self.improve_critic(some), diagnose)
        whole = played.packed() if self.policy.packs else played
        return {**found, **self.improve_agent(turn, whole, diagnose)}

    def improve_agent(self, turn: Turn, played: Experience, diagnose: bool) -> Statistics:
        """One step, of the length that the trust region allows."""
        agent, where = self.agents[turn.agent], played.deciding
        view = View(played.inputs, played.memory, played.running)
        with torch.no_grad():
            old = agent.unroll(view)[0]

        def surrogate() -> tuple[TurnSurrogate, Tensor]:
            own, outputs = agent.evaluate(view, played.avail, played.actions)  # (R, L, 1)
            entropy = agent.head.entropy(outputs, played.avail)
            made = TurnSurrogate(own, entropy, played, self.args, self.gain, self.clip(turn))
            return made, entropy

        def divergence() -> Tensor:
            return self.mean(agent.head.kl(old, agent.unroll(view)[0], played.avail), where)

        def gain() -> Tensor:
            return self.mean(surrogate()[0].gains, where)

        step = self.region(self.own_params[turn.agent], gain, divergence, self.limits).step()
        self.note_norm(step.grad_norm)
        if not diagnose:
            return {}
        with torch.no_grad():
            now, entropy = surrogate()
            reached = ActorStep(now.base(), step.grad_norm, of_step(step))
        return of_update(reached, now.ratio, entropy, played, self.clip(turn))


def of_step(step: TrustStep) -> Statistics:
    return {
        "trust/kl": step.divergence,
        "trust/gain": step.gain,
        "trust/length": step.length,
        "trust/moved": (step.length > 0).to(step.length.dtype),
    }
