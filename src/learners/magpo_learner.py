"""A guide that acts, and agents that learn to decide apart as it does: MAGPO (ICLR 2026), CTDS."""

from __future__ import annotations

import math
from types import SimpleNamespace
from typing import NamedTuple

import torch
from torch import Tensor

from components.experience import Experience, mean_over
from components.minibatch import View
from controllers import REGISTRY as CONTROLLERS
from learners.contract import Statistics
from learners.demands import FOLLOWS, present_policy
from learners.judging import JudgingLearner
from learners.mappo_learner import of_update
from learners.objective import ActorStep
from learners.state import Stateful
from learners.surrogate import OWN_LIMIT, Surrogate
from policies.guided import GUIDE_FILE, GuidedPolicy, Pair
from utils.errors import UserError
from utils.needs import Given, Needs


def guided_policy(learner: type, given: Given) -> None:
    """Refuse policies that are one and not two."""
    kind = CONTROLLERS[given["mac"]]
    if not (isinstance(kind, type) and issubclass(kind, GuidedPolicy)):
        raise UserError(
            f"learner={given['learner']} trains agents and their guide, and mac={given['mac']} has "
            "no guide. Type mac=guided_mac, or learner=mappo_learner."
        )


class OfGuide(NamedTuple):
    """The parts of the guide's loss."""

    surrogate: Bounded
    gain: Tensor  # PPO's part ()
    far: Tensor  # KL(guide || agents), where that counts ()
    of_values: Tensor  # ()


class MAGPOLearner(JudgingLearner):
    """Rounds are played by the guide, which also judges: it stands where others have a critic.

    In each minibatch the guide improves on what it played without going far from the agents (Eq.
    9), and the agents follow it (Eq. 10). `guide_bound=null guide_rl=0` is CTDS.
    """

    needs = Needs(
        demands=(guided_policy, present_policy),
        follows=FOLLOWS,
        uses=JudgingLearner.needs.uses | {"guide_bound", "guide_rl"},
    )
    guided = True
    policy: GuidedPolicy
    target_policy: GuidedPolicy

    def improve_actors(self, played: Experience, t_env: int, diagnose: bool) -> Statistics:
        """One step of the guide and one of the agents, both from where both are."""
        view = View(played.inputs, played.memory, played.running)
        pair = self.policy.evaluate_both(view, played.avail, played.actions)
        entropy = self.head.entropy(pair.guide.outputs, played.avail)  # (R, L, N)
        guide, of_agents = self.guide_loss(pair, entropy, played), self.agents_loss(pair, played)
        of_guide = guide.gain + guide.far + self.args.critic_coef * guide.of_values
        # Neither loss depends on the other's parameters: the first step changes no gradient.
        guide_norm = self.step(of_guide, self.critic_optimiser, self.critic_params)
        norm = self.step(of_agents, self.agent_optimiser, self.agent_params)
        if not diagnose:
            return {}
        ratio, clip = guide.surrogate.ratio, self.args.eps_clip
        step = ActorStep(guide.gain.detach(), norm)
        return {
            **of_update(step, ratio, entropy, played, clip),
            **self.of_pair(pair, guide, played),
            "agents_loss": of_agents.detach(),
            "guide/grad_norm": guide_norm,
        }

    def guide_loss(self, pair: Pair, entropy: Tensor, played: Experience) -> OfGuide:
        """Eq. 9. The agents are constant in it."""
        surrogate = Bounded(pair, entropy, played, self.args)
        kl = self.head.kl(pair.guide.outputs, pair.outputs.detach(), played.avail)  # (R, L, N)
        return OfGuide(
            surrogate=surrogate,
            gain=surrogate.base(),
            far=mean_over(surrogate.outside * kl, played.deciding),
            of_values=self.value_loss(pair.guide.values, played),
        )

    def agents_loss(self, pair: Pair, played: Experience) -> Tensor:
        """Eq. 10: KL(guide || agents), and PPO's loss from what the guide has played. ()"""
        kl = self.head.kl(pair.guide.outputs.detach(), pair.outputs, played.avail)  # (R, L, N)
        no_bonus = torch.zeros_like(kl)
        gain = Surrogate(pair.log_probs, no_bonus, played, self.args).base()
        return mean_over(kl, played.deciding) + self.args.guide_rl * gain

    @torch.no_grad()
    def of_pair(self, pair: Pair, guide: OfGuide, played: Experience) -> Statistics:
        """How far the two are apart, before the step."""
        kl = self.head.kl(pair.guide.outputs, pair.outputs, played.avail)
        entropy = self.head.entropy(pair.outputs, played.avail)
        outside = guide.surrogate.outside.to(kl.dtype)
        return {
            "critic_loss": guide.of_values,
            "agents_entropy": mean_over(entropy, played.deciding),
            "guide/kl": mean_over(kl, played.deciding),
            "guide/outside": mean_over(outside, played.deciding),
            "guide/value": mean_over(pair.guide.values, played.valid),
        }

    # Files

    def files(self) -> dict[str, Stateful]:
        return {
            GUIDE_FILE: self.critic,
            "guide_opt.th": self.critic_optimiser,
            "agent_opt.th": self.agent_optimiser,
            "value_norm.th": self.norm,
        }


class Bounded(Surrogate):
    """min(r A, clip(r') A), where r' is r as long as guide and agents are within the bound

        1 / delta <= mu / pi <= delta

    and outside what r would be at its edge, a constant: there only the first of the two pays.
    """

    def __init__(
        self, pair: Pair, entropy: Tensor, played: Experience, args: SimpleNamespace
    ) -> None:
        own, agents = pair.guide.log_probs, pair.log_probs.detach()
        super().__init__(own, entropy, played, args)
        limit = math.inf if args.guide_bound is None else math.log(args.guide_bound)
        gap = own.detach() - agents
        self.outside = gap.abs() > limit  # (R, L, N)
        edge = agents + gap.clamp(-limit, limit) - played.log_probs
        self.bounded = torch.where(self.outside, edge.clamp(max=OWN_LIMIT).exp(), self.ratio)

    def base(self) -> Tensor:
        advantages, clip = self._played.advantages, self._clip
        clipped = self.bounded.clamp(1 - clip, 1 + clip)
        return self._loss(torch.min(self.ratio * advantages, clipped * advantages))
