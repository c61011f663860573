"""Rounds of a policy that one of its own networks judges."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, Protocol, cast

from torch import Tensor

from components.episode_buffer import EpisodeBatch
from components.experience import Experience
from components.scheme import Scheme
from controllers.contract import MAC
from learners.contract import Statistics
from learners.demands import FOLLOWS, present_policy
from learners.mappo_learner import MAPPOLearner
from learners.round import Judged
from modules.contract import InputCritic
from policies.contract import Policy
from utils.logging import Logger
from utils.needs import Needs

OF_OWN_CRITICS = {"critic_type", "critic_lr"}


class JudgingPolicy(Policy, Protocol):
    """Such a policy."""

    @property
    def judging(self) -> Any:
        """The network that values come out of."""

    def judge(self, batch: Any) -> Tensor:
        """Values of every slot of the batch, the one after the last included. (B, T + 1, N)"""


class JudgingLearner(MAPPOLearner):
    """MAPPO's rounds, where values come out of a network that acts: it takes the critic's place."""

    needs = Needs(
        demands=(present_policy,),
        follows=FOLLOWS,
        uses=MAPPOLearner.needs.uses - OF_OWN_CRITICS,
    )
    default_critic = ""
    policy: JudgingPolicy
    target_policy: JudgingPolicy

    def __init__(self, mac: MAC, scheme: Scheme, logger: Logger, args: SimpleNamespace) -> None:
        super().__init__(mac, scheme, logger, args)
        self.target_critic = as_critic(self.target_policy)

    def build_critic(self, scheme: Scheme, args: SimpleNamespace) -> InputCritic:
        return as_critic(self.policy)

    @property
    def critic_lr(self) -> float:
        rate: float = self.args.lr
        return rate

    def judge(self, batch: EpisodeBatch) -> Judged:
        values = ahead = self.policy.judge(batch)
        if self.args.critic_targets:
            ahead = self.target_policy.judge(batch)
        no_inputs = values.unsqueeze(-1)[..., :0]  # the rows' inputs are the actors'
        return Judged(no_inputs, values, ahead)

    def improve(self, played: Experience, t_env: int, diagnose: bool) -> Statistics:
        """Who judges acts, too, so that no step is the critic's alone."""
        return self.improve_actors(played, t_env, diagnose)


def as_critic(policy: JudgingPolicy) -> InputCritic:
    """The network stands where others have a critic; values are asked of the policy."""
    return cast("InputCritic", policy.judging)
