"""What FACMAC and MADDPG do alike: a critic by TD, actors up the critic's gradient."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from components.episode_buffer import EpisodeBatch
from components.experience import mean_over
from components.minibatch import At, Minibatch, Views
from learners.contract import Statistics
from learners.demands import policy_and_replay
from learners.objective import ActorStep, CriticObjective, Drawing
from learners.policy_learner import PolicyLearner
from learners.returns import td_targets
from policies.contract import Policy


class ActorCriticLearner(PolicyLearner):
    """Subclasses define the critic, its values, and the objective of the actors."""

    needs = PolicyLearner.needs.also(
        demands=(policy_and_replay,), uses={"td_lambda", "actor_mask", "action_l2", "entropy_coef"}
    )

    draws_actions = True

    # What subclasses define. Actions are vectors: one-hots, or continuous ones.

    def value(self, at: At, actions: Tensor) -> Tensor:
        """The value of `actions` (1, n, N, A) where agents are. (1, n, 1 or N)"""
        raise NotImplementedError

    def target_value(self, at: At, actions: Tensor) -> Tensor:
        """The same of the target networks."""
        raise NotImplementedError

    def objective(self, minibatch: Minibatch, own: Tensor) -> CriticObjective:
        """What the actors maximise, for their present actions `own` (1, n, N, A)."""
        raise NotImplementedError

    # One update

    def train(self, batch: EpisodeBatch, t_env: int, episode_num: int) -> None:
        """Critic, actors, targets: in this order (FACMAC, Algorithm 1)."""
        minibatch = Minibatch(batch, round_up=self.round_up)
        views = self.policy.views(minibatch)
        diagnose = self.log_due(t_env)
        of_critic = self.improve_critic(minibatch, views)
        self.critic_training_steps += 1
        if not self.args.actor_mask:
            minibatch = Minibatch(batch, keep_padding=True, round_up=self.round_up)
            views = self.policy.views(minibatch)
        step = self.improve_actors(minibatch, views, t_env, diagnose)
        self.update_targets(self.critic_training_steps)

        def statistics() -> Statistics:
            of_actors = {"pg_loss": step.loss, "agent_grad_norm": step.grad_norm}
            return {**of_critic(), **of_actors, **step.diagnostics}

        if diagnose:
            self.log(t_env, statistics)

    def improve_critic(self, minibatch: Minibatch, views: Views) -> Callable[[], Statistics]:
        """One step towards the TD targets; returns what computes its statistics."""
        stored = self.head.vector(minibatch.actions)  # (1, n, N, A)
        taken = self.value(minibatch.now, stored)  # (1, n, 1 or N)
        with torch.no_grad():  # the greedy actions of the target actors, one slot later
            greedy = self.target_policy.greedy(views.next, minibatch.next.avail)
            following = self.target_value(minibatch.next, greedy)
            targets = td_targets(minibatch, following, self.args.gamma, self.args.td_lambda)
        mask = minibatch.mask.expand_as(taken)
        td_error = (taken - targets) * mask
        loss = td_error.square().sum() / mask.sum()
        grad_norm = self.step(loss, self.critic_optimiser, self.critic_params)

        def statistics() -> Statistics:
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

    def improve_actors(
        self, minibatch: Minibatch, views: Views, t_env: int, diagnose: bool
    ) -> ActorStep:
        """One step up the gradient of the updated critic, at newly drawn actions."""
        view, avail = views.now, minibatch.now.avail
        own, noise, outputs = self.policy.draw(view, avail)  # (1, n, N, A)

        def respond(policy: Policy, how: Drawing) -> Tensor:
            """What other actors do, from the same inputs. (1, n, N, A)"""
            return policy.draw(view, avail, None if how.fresh else noise, how.hard).actions

        objective = self.objective(minibatch, own)
        if self.args.entropy_coef:
            objective.reward_entropy(self.head.entropy(outputs, avail))
        step = self.step_actors(objective, respond, t_env, diagnose)
        if diagnose:
            deciding = self.head.has_choice(avail) * minibatch.mask  # (1, n, N)
            with torch.no_grad():
                entropy = mean_over(self.head.entropy(outputs, avail), deciding)
            step.diagnostics = {**step.diagnostics, "entropy": entropy}
        return step
