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
from utils.returns import valid_steps

SAMPLERS = ("soft_policies", "multinomial", "gumbel")  # with a floor of epsilon, but for the first
SENSIBLE_BATCH = 8  # episodes, to suggest to who has not chosen


class OnPolicyLearner(PolicyLearner):
    """The replay buffer holds one round of episodes, as in PyMARL; each is learned from once."""

    learns_from_parts = True  # of episodes, as `rollout_length` makes them
    default_critic: str
    floor_allowed = True  # whether the learner knows of the epsilon that actors may explore with

    def __init__(
        self, mac: Any, scheme: dict[str, Any], logger: Logger, args: SimpleNamespace
    ) -> None:
        super().__init__(mac, scheme, logger, without_mixer(args))
        require_on_policy(args, self.floor_allowed)  # what no setting can change was said above

    def build_critic(self, scheme: dict[str, Any], args: SimpleNamespace) -> nn.Module:
        name = args.critic_type or self.default_critic
        critic = CRITICS[name](scheme, args)
        lacking = [method for method in ("inputs", "judge") if not hasattr(critic, method)]
        if lacking:
            raise UserError(
                f"learner={args.learner} asks a critic for inputs(batch) once and lets it judge "
                f"them often; critic_type={name} has no {' and no '.join(lacking)}. A critic that "
                "only knows PyMARL's forward(batch, t) goes with the learner it was written for."
            )
        return critic

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


def require_on_policy(args: SimpleNamespace, floor_allowed: bool) -> None:
    """Refuse settings by which others than the present policy would have played, in one list."""
    given = vars(args)
    wanted = {**_policy(args, floor_allowed), **_one_round(args)}
    missing = {key: value for key, value in wanted.items() if given[key] != value}
    if not missing:
        return
    listed = " ".join(f"{key}={value}" for key, value in missing.items())
    raise UserError(
        f"learner={args.learner} learns once from each episode of its present policy, and these "
        f"settings do something else. Add: {listed}\n"
        "or start from --config=mappo and set what differs."
    )


def _policy(args: SimpleNamespace, floor_allowed: bool) -> dict[str, Any]:
    if args.action_kind == "continuous":
        return {"action_selector": "soft_policies"}
    wanted: dict[str, Any] = {"agent_output_type": "pi_logits"}
    explores = max(args.epsilon_start, args.epsilon_finish) > 0
    has_floor = args.action_selector != "soft_policies" and explores
    if args.action_selector not in SAMPLERS or (has_floor and not floor_allowed):
        wanted["action_selector"] = "soft_policies"
    return wanted


def _one_round(args: SimpleNamespace) -> dict[str, Any]:
    """Each round fills the buffer, and each update empties it; rollouts pass it by."""
    once = {
        "buffer_warmup": 0,
        "start_steps": 0,
        "n_train": 1,
        "updates_per_episode": None,
        "runner_scope": "episodic",
    }
    if args.rollout_length:
        return once
    sizes = {args.batch_size_run, args.batch_size, args.buffer_size}
    n = args.batch_size_run if len(sizes) == 1 else max(args.batch_size_run, SENSIBLE_BATCH)
    return {"batch_size_run": n, "batch_size": n, "buffer_size": n, **once}
