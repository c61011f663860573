"""What learners do alike that learn once from what their present policy has just played."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from torch import nn

from components.episode_buffer import EpisodeBatch
from learners.base import without_mixer
from learners.policy_learner import PolicyLearner
from modules.critics import REGISTRY as CRITICS
from utils.errors import UserError
from utils.logging import Logger
from utils.needs import CONTINUOUS, Given, Needs, listed, require
from utils.returns import valid_steps

Settings = dict[str, Any]
SAMPLERS = ("soft_policies", "multinomial", "gumbel")  # with a floor of epsilon, but for the first
FOLLOWS = {"batch_size": "batch_size_run", "buffer_size": "batch_size_run"}
SENSIBLE_BATCH = 8  # episodes, to suggest to who has not chosen


def critic_that_fits(learner: type[OnPolicyLearner], given: Given) -> None:
    """First: what no other setting can change."""
    require(CRITICS[given["critic_type"] or learner.default_critic], given)


def present_policy(learner: type[OnPolicyLearner], given: Given) -> None:
    """Refuse settings by which others than the present policy would have played, in one list."""
    wanted = _policy(given, learner.floor_allowed)
    if given.learns:
        wanted |= _one_round(given)
    missing = {key: value for key, value in wanted.items() if given[key] != value}
    if missing:
        raise UserError(
            f"learner={given['learner']} learns once from each episode of its present policy, and "
            f"these settings do something else. Add: {listed(missing)}\n"
            "or start from --config=mappo and set what differs."
        )


def _policy(given: Given, floor_allowed: bool) -> Settings:
    """What makes a policy for the environment's kind of action; nothing while that is unknown."""
    if given.action_kind is None:
        return {}
    if given.action_kind == CONTINUOUS:
        return {"action_selector": "soft_policies"}
    wanted: Settings = {"agent_output_type": "pi_logits"}
    explores = max(given["epsilon_start"], given["epsilon_finish"]) > 0
    has_floor = given["action_selector"] != "soft_policies" and explores
    if given["action_selector"] not in SAMPLERS or (has_floor and not floor_allowed):
        wanted["action_selector"] = "soft_policies"
    return wanted


def _one_round(given: Given) -> Settings:
    """Each round fills the buffer, and each update empties it; rollouts pass it by."""
    once = {
        "buffer_warmup": 0,
        "start_steps": 0,
        "n_train": 1,
        "updates_per_episode": None,
        "runner_scope": "episodic",
    }
    if given["rollout_length"]:
        return once
    n = given["batch_size_run"]
    if any(given[key] != n for key in FOLLOWS):
        n = max(n, SENSIBLE_BATCH)
    return {"batch_size_run": n, **dict.fromkeys(FOLLOWS, n), **once}


class OnPolicyLearner(PolicyLearner):
    """The replay buffer holds one round of episodes, as in PyMARL; each is learned from once."""

    needs = PolicyLearner.needs.also(
        Needs(demands=(critic_that_fits, present_policy), follows=FOLLOWS),
        uses={"rollout_length", "critic_type", "lr_anneal", "return_steps", "entropy_coef"},
    )
    learns_from_parts = True  # of episodes, as `rollout_length` makes them
    default_critic: str
    floor_allowed = True  # whether the learner knows of the epsilon that actors may explore with

    def __init__(
        self, mac: Any, scheme: dict[str, Any], logger: Logger, args: SimpleNamespace
    ) -> None:
        super().__init__(mac, scheme, logger, without_mixer(args))

    def build_critic(self, scheme: dict[str, Any], args: SimpleNamespace) -> nn.Module:
        return CRITICS[args.critic_type or self.default_critic](scheme, args)

    def networks_and_targets(self) -> list[tuple[nn.Module, nn.Module]]:
        return [(self.critic, self.target_critic)]

    def anneal(self, batch: EpisodeBatch, t_env: int) -> float:
        """Set the learning rates for this update; returns the actors'.

        They count from where the round began, so that the last round still teaches something.
        """
        left = 1.0
        if self.args.lr_anneal:
            began = t_env - int(valid_steps(batch["filled"], batch["terminated"]).sum())
            left = max(0.0, 1 - max(0, began) / max(1, self.args.t_max))
        rates = (self.agent_optimiser, self.args.lr), (self.critic_optimiser, self.critic_lr)
        for optimiser, rate in rates:
            for group in optimiser.param_groups:
                group["lr"] = left * rate
        return left * self.args.lr
