"""COMA: an agent's action against its other ones (Foerster et al. 2018)."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor

from components.episode_buffer import EpisodeBatch
from components.experience import mean_over
from components.minibatch import valid_steps
from learners.advantages import n_step_returns
from learners.contract import Statistics
from learners.on_policy import OnPolicyLearner
from learners.returns import td_lambda_returns


class COMALearner(OnPolicyLearner):
    """The policy holds the floor of epsilon that its actors explore with, as in PyMARL."""

    needs = OnPolicyLearner.needs.also(uses={"td_lambda", "critic_step_each"})
    reads = "probabilities"
    default_critic = "coma_critic"

    def train(self, batch: EpisodeBatch, t_env: int, episode_num: int) -> None:
        """Critic, targets, actors. The actors learn from the values before each critic step."""
        rate = self.anneal(batch, t_env)
        mask = valid_steps(batch["filled"], batch["terminated"])  # (B, T, 1)
        values, of_critic = self.improve_critic(batch, mask)  # (B, T, N, A)
        of_actors = self.improve_actors(batch, mask, values)
        self.update_targets(self.critic_training_steps)
        self.log_if_due(t_env, lambda: {**of_critic, **of_actors, "lr": rate})

    # The critic

    def improve_critic(self, batch: EpisodeBatch, mask: Tensor) -> tuple[Tensor, Statistics]:
        """Squared error of the taken actions' values, slot by slot or all at once."""
        T = mask.shape[1]
        inputs, actions = self.critic.inputs(batch), batch["actions"]  # (B, T + 1, N, F or 1)
        targets = self.targets(batch, mask, inputs)  # (B, T, N)
        values: list[Tensor] = []
        losses, norms = [], []
        played = (mask.sum(dim=(0, 2)) > 0).tolist()  # once, for a GPU is waited for
        for slots in self.slots(mask):
            predicted = self.critic.values_of(inputs[:, slots])  # (B, slots, N, A)
            values.append(predicted.detach())
            if not any(played[slots]):
                continue
            valid = mask[:, slots].expand_as(targets[:, slots])
            errors = taken(predicted, actions[:, slots]) - targets[:, slots]
            loss = mean_over(errors.square(), valid)
            norms.append(self.step(loss, self.critic_optimiser, self.critic_params))
            losses.append(loss.detach())
            self.critic_training_steps += 1
        all_values = torch.cat(values[::-1], dim=1)  # (B, T, N, A)
        valid, chosen = mask.expand_as(targets), taken(all_values, actions[:, :T])
        return all_values, {
            "critic_loss": torch.stack(losses).mean(),
            "critic_grad_norm": torch.stack(norms).mean(),
            "td_error_abs": mean_over((chosen - targets).abs(), valid),
            "q_taken_mean": mean_over(chosen, valid),
            "target_mean": mean_over(targets, valid),
        }

    def slots(self, mask: Tensor) -> Iterator[slice]:
        """Parts that the critic learns from one after the other, the last slots first."""
        T = mask.shape[1]
        length = 1 if self.args.critic_step_each == "slot" else T
        for first in reversed(range(0, T, length)):
            yield slice(first, first + length)

    @torch.no_grad()
    def targets(self, batch: EpisodeBatch, mask: Tensor, inputs: Tensor) -> Tensor:
        """TD(lambda) or n-step returns of the target critic. (B, T, N)"""
        args = self.args
        following = taken(self.target_critic.values_of(inputs), batch["actions"])  # (B, T + 1, N)
        steps = batch["reward"][:, :-1], batch["terminated"][:, :-1].to(following), mask
        if args.return_steps:
            return n_step_returns(*steps, following, args.gamma, args.return_steps)
        return td_lambda_returns(*steps, following, args.gamma, args.td_lambda)

    # The actors

    def improve_actors(self, batch: EpisodeBatch, mask: Tensor, values: Tensor) -> Statistics:
        """One step of the policy gradient with counterfactual advantages."""
        T = mask.shape[1]
        avail, actions = batch["avail_actions"][:, :T], batch["actions"][:, :T]
        probabilities = self.policy.probabilities(self.policy.whole(batch, T), avail)
        policy = renormalised(probabilities, avail)  # (B, T, N, A)
        advantages = taken(counterfactual(values, policy.detach()), actions)  # (B, T, N)
        counts = mask.expand_as(advantages)
        log_probs = taken(policy, actions).masked_fill(counts == 0, 1.0).log()
        entropy = -(policy * policy.clamp_min(1e-30).log()).sum(dim=3)
        gain = advantages * log_probs + self.args.entropy_coef * entropy
        loss = -mean_over(gain, counts)
        norm = self.step(loss, self.agent_optimiser, self.agent_params)
        return {
            "coma_loss": loss.detach(),
            "agent_grad_norm": norm,
            "advantage_mean": mean_over(advantages, counts),
            "entropy": mean_over(entropy.detach(), counts),
            "pi_max": mean_over(policy.detach().amax(dim=3), counts),
        }


def taken(values: Tensor, actions: Tensor) -> Tensor:
    """Those of the stored actions. (..., A), (..., 1) -> (...)"""
    return values.gather(-1, actions).squeeze(-1)


def counterfactual(values: Tensor, policy: Tensor) -> Tensor:
    """Every action's advantage over the policy's own mean (Eq. 4). (..., A) -> (..., A)"""
    return values - (policy * values).sum(dim=-1, keepdim=True)


def renormalised(policy: Tensor, avail: Tensor) -> Tensor:
    """What is left where only available actions can be drawn; uniform at padding."""
    possible = policy.masked_fill(avail == 0, 0.0)
    total = possible.sum(dim=-1, keepdim=True)
    return torch.where(total > 0, possible / total.clamp_min(1e-30), 1.0 / policy.shape[-1])
