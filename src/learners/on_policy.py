"""What learners do alike that learn once from what their present policy has just played."""

from __future__ import annotations

from types import SimpleNamespace

from components.episode_buffer import EpisodeBatch
from components.minibatch import valid_steps
from components.scheme import Scheme
from controllers.contract import MAC
from learners.demands import FOLLOWS, present_policy
from learners.policy_learner import PolicyLearner
from modules.contract import InputCritic, Network
from modules.critics import REGISTRY as CRITICS
from pymarl.critics import input_critic_of
from pymarl.mixers import without_mixer
from utils.logging import Logger
from utils.needs import Given, Needs, require


def critic_that_fits(learner: type[OnPolicyLearner], given: Given) -> None:
    """First: what no other setting can change."""
    require(CRITICS[given["critic_type"] or learner.default_critic], given)


class OnPolicyLearner(PolicyLearner):
    """The replay buffer holds one round of episodes, as in PyMARL; each is learned from once."""

    needs = PolicyLearner.needs.also(
        Needs(demands=(critic_that_fits, present_policy), follows=FOLLOWS),
        uses={"rollout_length", "critic_type", "lr_anneal", "return_steps", "entropy_coef"},
    )
    learns_from_parts = True  # of episodes, as `rollout_length` makes them
    critic: InputCritic
    target_critic: InputCritic
    default_critic: str  # empty: the network that acts judges, too
    floor_allowed = True  # whether the learner knows of the epsilon that actors may explore with

    def __init__(self, mac: MAC, scheme: Scheme, logger: Logger, args: SimpleNamespace) -> None:
        super().__init__(mac, scheme, logger, without_mixer(args))

    def build_critic(self, scheme: Scheme, args: SimpleNamespace) -> InputCritic:
        name = args.critic_type or self.default_critic
        return input_critic_of(CRITICS[name](scheme, args), name, args.learner)

    def networks_and_targets(self) -> list[tuple[Network, Network]]:
        return [(self.critic, self.target_critic)]

    def anneal(self, batch: EpisodeBatch, t_env: int) -> float:
        """Set the learning rates for this update; returns the actors'.

        They count from where the round began, so that the last round still teaches something.
        """
        left = 1.0
        if self.args.lr_anneal:
            began = t_env - int(valid_steps(batch["filled"], batch["terminated"]).sum())
            left = max(0.0, 1 - max(0, began) / max(1, self.args.t_max))
        # The actors' last: where one optimiser serves both, it goes by theirs.
        rates = (self.critic_optimiser, self.critic_lr), (self.agent_optimiser, self.args.lr)
        for optimiser, rate in rates:
            for group in optimiser.param_groups:
                group["lr"] = left * rate
        return left * self.args.lr
