"""MAPPO and IPPO: clipped policy gradients (Schulman et al. 2017; Yu et al. 2022)."""

from __future__ import annotations

from types import SimpleNamespace
from typing import NamedTuple

import torch
from torch import Tensor

from components.action_heads import ActionHead
from components.episode_buffer import EpisodeBatch
from components.experience import Experience, cut, mean_over, memory_before
from components.minibatch import Steps, View, running_rows, valid_steps
from components.scheme import Scheme
from controllers.contract import MAC
from learners.advantages import gae, n_step_returns
from learners.contract import Statistics
from learners.objective import ActorStep, Drawing
from learners.on_policy import OnPolicyLearner
from learners.state import Stateful
from learners.surrogate import Surrogate
from policies.contract import Policy
from utils.logging import Logger
from utils.value_norm import ValueNorm


class Round(NamedTuple):
    """Complete episodes before anything was learned from them."""

    outputs: Tensor  # of the actors (B, T, N, A)
    avail: Tensor  # (B, T, N, A)
    values: Tensor  # on the scale of the rewards, as all that follow (B, T, N)
    returns: Tensor
    valid: Tensor
    deciding: Tensor


class MAPPOLearner(OnPolicyLearner):
    """A centralised critic; some epochs over each round of episodes.

    The log-probabilities of the actions when they were chosen are not stored but computed again
    before the first step: no runner, controller or buffer needs to know of them, and the first
    ratios are 1 whatever way the actors were unrolled.
    """

    needs = OnPolicyLearner.needs.also(
        uses={
            *("critic_targets", "critic_coef", "epochs", "minibatches", "chunk_length"),
            *("eps_clip", "value_clip", "value_norm", "gae_lambda", "normalise_advantages"),
            "dead_mask",
        }
    )
    reads = "rows"
    stateful = ("norm",)
    default_critic = "cv_critic"
    floor_allowed = False

    def __init__(self, mac: MAC, scheme: Scheme, logger: Logger, args: SimpleNamespace) -> None:
        super().__init__(mac, scheme, logger, args)
        self.norm = ValueNorm()

    def train(self, batch: EpisodeBatch, t_env: int, episode_num: int) -> None:
        rate = self.anneal(batch, t_env)
        diagnose = self.log_due(t_env)
        played, episodes = self.look_back(batch)
        found: list[Statistics] = []
        for epoch in range(self.args.epochs):
            last = diagnose and epoch == self.args.epochs - 1
            for rows in played.minibatches(self.args.minibatches):
                part = rows.packed() if self.policy.packs else rows
                of_critic = self.improve_critic(part)
                of_actors = self.improve_actors(part, t_env, last)
                if last:
                    found.append({**of_critic, **of_actors})
        self.critic_training_steps += 1
        self.update_targets(self.critic_training_steps)

        def statistics() -> Statistics:
            """The last epoch's means, and what was so before the first."""
            means = {key: sum(each[key] for each in found) / len(found) for key in found[0]}
            return {**of_round(episodes, self.head), **means, "lr": rate}

        self.log_if_due(t_env, statistics)

    # What was played

    @torch.no_grad()
    def look_back(self, batch: EpisodeBatch) -> tuple[Experience, Round]:
        """The batch as its policy played it: in rows to learn from, and as complete episodes."""
        T = batch.max_seq_length - 1
        avail, actions = batch["avail_actions"][:, :T], batch["actions"][:, :T]
        mask = valid_steps(batch["filled"], batch["terminated"])  # (B, T, 1)
        view = self.policy.whole(batch, T)
        assert view.start is not None
        outputs, hidden = unrolled_steps(self.policy, view, mask)
        critic_inputs = self.critic.inputs(batch)  # (B, T + 1, 1 or N, F)
        predicted = self.critic.values_of(critic_inputs)  # normalised (B, T + 1, N)
        returns = self.returns(batch, mask, critic_inputs, predicted)  # (B, T, N)
        valid = mask.expand_as(returns)
        deciding = valid * self.head.has_choice(avail) if self.args.dead_mask else valid
        values = self.norm.restore(predicted[:, :T])
        if self.args.value_norm:
            self.norm.update(returns, valid)
        length = self.row_length(T)
        played = Experience(
            memory=memory_before(view.start, hidden, length),
            inputs=cut(view.inputs, length),
            avail=cut(avail, length),
            actions=cut(actions, length),
            critic_inputs=cut(critic_inputs[:, :T], length),
            log_probs=cut(self.head.log_prob(outputs, avail, actions), length),
            values=cut(predicted[:, :T], length),
            returns=cut(self.norm.normalise(returns), length),
            advantages=cut(self.scaled(returns - values, deciding), length),
            valid=cut(valid, length),
            deciding=cut(deciding, length),
        )
        return played.without_padding(), Round(outputs, avail, values, returns, valid, deciding)

    def returns(
        self, batch: EpisodeBatch, mask: Tensor, critic_inputs: Tensor, predicted: Tensor
    ) -> Tensor:
        """The targets of the critic: (B, T, N), on the scale of the rewards."""
        args = self.args
        if args.critic_targets:
            predicted = self.target_critic.values_of(critic_inputs)
        values = self.norm.restore(predicted)
        steps = batch["reward"][:, :-1], batch["terminated"][:, :-1].to(values), mask
        if args.return_steps:
            return n_step_returns(*steps, values, args.gamma, args.return_steps)
        return gae(*steps, values, args.gamma, args.gae_lambda) + values[:, :-1]

    def scaled(self, advantages: Tensor, mask: Tensor) -> Tensor:
        if not self.args.normalise_advantages:
            return advantages
        spread = variance(advantages, mask).sqrt()
        return (advantages - mean_over(advantages, mask)) / (spread + 1e-8)

    def row_length(self, T: int) -> int:
        """Slots that must stay together, because memory runs through them."""
        if not self.policy.recurrent:
            return 1
        return min(T, self.args.chunk_length or T)

    # One step of each

    def improve_critic(self, played: Experience) -> Statistics:
        """Squared error, or with `value_clip` that of a value which moved no further than that."""
        values = self.critic.values_of(played.critic_inputs)  # (R, L, N)
        errors = (values - played.returns).square()
        if self.args.value_clip:
            moved = (values - played.values).clamp(-self.args.eps_clip, self.args.eps_clip)
            errors = torch.max(errors, (played.values + moved - played.returns).square())
        loss = mean_over(errors, played.valid)
        norm = self.step(self.args.critic_coef * loss, self.critic_optimiser, self.critic_params)
        return {"critic_loss": loss.detach(), "critic_grad_norm": norm}

    def improve_actors(self, played: Experience, t_env: int, diagnose: bool) -> Statistics:
        """One step up the surrogate."""
        view = View(played.inputs, played.memory, played.running)

        def respond(policy: Policy, how: Drawing) -> Tensor:
            """How probable other actors hold the stored actions; nothing is drawn. (R, L, N)"""
            return policy.evaluate(view, played.avail, played.actions)[0]

        own, outputs = self.policy.evaluate(view, played.avail, played.actions)  # (R, L, N)
        entropy = self.head.entropy(outputs, played.avail)
        surrogate = Surrogate(own, entropy, played, self.args, self.reference(played))
        step = self.step_actors(surrogate, respond, t_env, diagnose)
        return of_update(step, surrogate, entropy, played, self.args.eps_clip) if diagnose else {}

    def reference(self, played: Experience) -> Tensor | None:
        """To what the others' ratios are, where they matter; None: their present policies."""
        return None

    # Devices and files

    def cuda(self) -> None:
        super().cuda()
        self.norm.cuda()

    def files(self) -> dict[str, Stateful]:
        return {**super().files(), "value_norm.th": self.norm}


class IPPOLearner(MAPPOLearner):
    """The same with a critic of each agent's own observation."""

    needs = MAPPOLearner.needs
    default_critic = "ac_critic"


@torch.no_grad()
def of_round(episodes: Round, head: ActionHead) -> Statistics:
    """How well the critic knew the returns, and how sure the actors were."""
    values, returns, valid = episodes.values, episodes.returns, episodes.valid
    errors = returns - values
    likeliest = head.stored(head.mode(episodes.outputs, episodes.avail))
    spread = variance(returns, valid)
    explained = 1 - variance(errors, valid) / spread
    pi_max = head.log_prob(episodes.outputs, episodes.avail, likeliest).exp()
    return {
        "explained_variance": torch.where(spread > 0, explained, 0.0),
        "td_error_abs": mean_over(errors.abs(), valid),
        "q_taken_mean": mean_over(values, valid),
        "target_mean": mean_over(returns, valid),
        "advantage_mean": mean_over(errors, episodes.deciding),
        "pi_max": mean_over(pi_max, episodes.deciding),
    }


@torch.no_grad()
def of_update(
    step: ActorStep, surrogate: Surrogate, entropy: Tensor, played: Experience, clip: float
) -> Statistics:
    """How far this step's policy has come from the one that played."""
    ratio, where = surrogate.ratio, played.deciding
    return {
        "pg_loss": step.loss,
        "agent_grad_norm": step.grad_norm,
        # The mean of this is KL(old || new), and no single term is negative (Schulman's k3).
        "approx_kl": mean_over(ratio - 1 - ratio.log(), where),
        "clip_fraction": mean_over(((ratio - 1).abs() > clip).to(ratio.dtype), where),
        "entropy": mean_over(entropy, where),
        **{key: torch.as_tensor(value) for key, value in step.diagnostics.items()},
    }


def unrolled_steps(policy: Policy, view: View, mask: Tensor) -> tuple[Tensor, Tensor]:
    """Outputs and memory of the slots where `mask` (R, L, 1) is 1, for those alone; else zeros."""
    steps = Steps(mask)
    order = steps.order if policy.packs else None
    if order is None:
        return policy.unroll(view)
    running = running_rows(mask)
    assert view.start is not None
    start = view.start[order[: running[0]]]  # a part may have no steps at all
    outputs, hidden = policy.unroll(View(steps.take(view.inputs), start, running))
    return steps.put(outputs), steps.put(hidden)


def variance(values: Tensor, mask: Tensor) -> Tensor:
    return mean_over((values - mean_over(values, mask)).square(), mask)
