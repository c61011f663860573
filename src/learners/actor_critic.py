"""What FACMAC and MADDPG do alike: a critic by TD, actors up the critic's gradient."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import torch
from torch import Tensor

from components.episode_buffer import EpisodeBatch
from components.steps import Situation, Steps
from learners.base import unrolled
from learners.klevel import Climb, Objective
from learners.policy_learner import PolicyLearner
from utils.errors import UserError
from utils.logging import Logger
from utils.returns import td_targets, valid_steps


class ActorCriticLearner(PolicyLearner):
    """Subclasses say what the critic is, what it is worth, and what the actors climb."""

    def __init__(
        self, mac: Any, scheme: dict[str, Any], logger: Logger, args: SimpleNamespace
    ) -> None:
        require_policy(args)
        super().__init__(mac, scheme, logger, args)

    # What subclasses say. Actions are vectors: one-hots, or what is continuous.

    def value(self, critic: Any, mixer: Any, seen: Situation, actions: Tensor) -> Tensor:
        """The value of `actions` (1, n, N, A). (1, n, 1 or N)"""
        raise NotImplementedError

    def objective(self, seen: Situation, own: Tensor, replayed: Tensor, steps: Steps) -> Objective:
        """What the actors climb, for their present actions `own` (1, n, N, A)."""
        raise NotImplementedError

    # One update

    def train(self, batch: EpisodeBatch, t_env: int, episode_num: int) -> None:
        """Critic, actors, targets: in this order (FACMAC, Algorithm 1)."""
        steps = Steps(valid_steps(batch["filled"], batch["terminated"]))
        diagnose = self.log_due(t_env)
        of_critic = self.improve_critic(batch, steps)
        self.critic_training_steps += 1
        climb = self.improve_actors(batch, steps, t_env, diagnose)
        self.update_targets(self.critic_training_steps)

        def statistics() -> dict[str, Any]:
            of_actors = {"pg_loss": climb.loss, "agent_grad_norm": climb.grad_norm}
            return {**of_critic(), **of_actors, **climb.diagnostics}

        self.log_if_due(t_env, statistics)

    def improve_critic(self, batch: EpisodeBatch, steps: Steps) -> Callable[[], dict[str, Tensor]]:
        """One step towards the TD targets; returns what computes its statistics."""
        seen = situation(batch, steps)
        taken = self.value(self.critic, self.mixer, seen, self.replayed(batch, steps))
        targets = self.targets(batch, steps)  # (1, n, 1 or N)
        mask = steps.mask.expand_as(taken)
        td_error = (taken - targets) * mask
        loss = td_error.square().sum() / mask.sum()
        grad_norm = self.step(loss, self.critic_optimiser, self.critic_params)

        def statistics() -> dict[str, Tensor]:
            count = mask.sum()
            return {
                "critic_loss": loss.detach(),
                "critic_grad_norm": grad_norm,
                "td_error_abs": td_error.detach().abs().sum() / count,
                # Divided by the number of agents as FACMAC does, so that old plots compare.
                "q_taken_mean": (taken.detach() * mask).sum() / (count * self.args.n_agents),
                "target_mean": (targets * mask).sum() / (count * self.args.n_agents),
            }

        return statistics

    @torch.no_grad()
    def targets(self, batch: EpisodeBatch, steps: Steps) -> Tensor:
        """TD targets with the greedy actions of the target actors. (1, n, 1 or N)"""
        outputs = steps.take(unrolled(self.target_mac, batch, first=1))  # (1, n, N, A)
        greedy = self.head.mode(outputs, steps.take(batch["avail_actions"][:, 1:]))
        seen = situation(batch, steps, first=1)
        following = self.value(self.target_critic, self.target_mixer, seen, greedy)
        return td_targets(batch, steps, following, self.args.gamma, self.args.td_lambda)

    def improve_actors(
        self, batch: EpisodeBatch, steps: Steps, t_env: int, diagnose: bool
    ) -> Climb:
        """One step up the critic as it is now, from freshly drawn actions."""
        if not self.args.actor_mask:
            steps = Steps(steps.put(steps.mask), keep_padding=True)
        T = batch.max_seq_length - 1
        avail = steps.take(batch["avail_actions"][:, :T])
        outputs = steps.take(unrolled(self.mac, batch, T))  # (1, n, N, A)
        noise = self.head.noise(outputs)
        own = self.head.relaxed(outputs, avail, noise)

        def respond(mac: Any) -> Tensor:
            """The actions of other actors in the same situations. (1, n, N, A)"""
            others = steps.take(unrolled(mac, batch, T))
            fresh = self.args.k_noise == "fresh"
            hard = self.args.k_level_action == "hard"
            draw = self.head.noise(others) if fresh else noise
            return self.head.relaxed(others, avail, draw, hard=hard)

        replayed = self.replayed(batch, steps)
        objective = self.objective(situation(batch, steps), own, replayed, steps)
        return self.climb(objective, respond, t_env, diagnose)

    def replayed(self, batch: EpisodeBatch, steps: Steps) -> Tensor:
        """The stored actions, as vectors. (1, n, N, A)"""
        return self.head.vector(steps.take(batch["actions"][:, :-1]))

    def action_penalty(self, own: Tensor) -> Tensor | float:
        """FACMAC's weak pull of continuous actions to zero."""
        weight = self.args.action_l2
        return weight * own.square().mean() if weight else 0.0


def situation(batch: EpisodeBatch, steps: Steps, first: int = 0) -> Situation:
    """At the steps' slots, or with `first` 1 at those that follow."""
    last = batch.max_seq_length - 1 + first
    return Situation(
        steps.take(batch["obs"][:, first:last]), steps.take(batch["state"][:, first:last])
    )


# What a discrete policy needs that value-based and on-policy settings files do not have.
POLICY_SETTINGS: dict[str, Any] = {
    "action_selector": "gumbel",
    "agent_output_type": "pi_logits",
    "epsilon_start": 0.5,
    "td_lambda": 0.8,
    "lr": 0.0025,
    "critic_lr": 0.0005,
}


def require_policy(args: SimpleNamespace) -> None:
    """Refuse settings of another family, with one list of what to change."""
    on_policy = args.buffer_size <= args.batch_size
    if args.action_kind == "continuous":
        fits = args.action_selector == "gaussian"
        missing: dict[str, Any] = {"action_selector": "gaussian"}
    else:
        # Sampling from the softmax with a floor of epsilon goes by either name.
        draws = args.action_selector in ("gumbel", "multinomial")
        fits = draws and args.agent_output_type == "pi_logits" and not on_policy
        given = vars(args)
        missing = {key: value for key, value in POLICY_SETTINGS.items() if given[key] != value}
    if fits:
        return
    if on_policy:
        missing["buffer_size"] = 5000
    listed = " ".join(f"{key}={value}" for key, value in missing.items())
    raise UserError(
        f"learner={args.learner} needs a policy and replay, and these settings have none. Add: "
        f"{listed}\nor start from --config=kfacmac and set what differs."
    )
