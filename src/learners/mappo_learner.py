"""MAPPO and IPPO: clipped policy gradients (Schulman et al. 2017; Yu et al. 2022)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from types import SimpleNamespace

import torch
from torch import Tensor

from components.episode_buffer import EpisodeBatch
from components.experience import Experience, cut, mean_over, memory_before
from components.minibatch import Steps, View, reached_slots, valid_steps
from components.scheme import Scheme
from controllers.contract import MAC
from learners.advantages import gae, n_step_returns
from learners.contract import Statistics
from learners.objective import ActorStep, Drawing
from learners.on_policy import OnPolicyLearner
from learners.round import (
    Judged,
    Rewards,
    Round,
    judged_slots,
    of_round,
    unrolled_agents,
    unrolled_steps,
    variance,
)
from learners.state import Stateful
from learners.surrogate import Surrogate
from policies.contract import Policy
from utils.logging import Logger
from utils.value_norm import ValueNorm

# A step of an epoch: from these rows, and whether to measure it.
Improve = Callable[[Experience, bool], Statistics]


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
        episodes = self.look_back(batch)
        found = self.learn(episodes, t_env, self.log_due(t_env))
        self.critic_training_steps += 1
        self.update_targets(self.critic_training_steps)

        def statistics() -> Statistics:
            """Of the last epoch, and what was so before the first."""
            return {**of_round(episodes, self.head), **found, "lr": rate}

        self.log_if_due(t_env, statistics)

    def learn(self, episodes: Round, t_env: int, diagnose: bool) -> Statistics:
        """All that a round teaches; what its last epoch measured, if that is asked for."""
        rows = self.in_rows(episodes).without_padding()
        return self.in_epochs(rows, lambda part, last: self.improve(part, t_env, last), diagnose)

    def in_epochs(self, rows: Experience, improve: Improve, diagnose: bool) -> Statistics:
        """`improve` by each minibatch of each epoch; the last epoch's means."""
        found: list[Statistics] = []
        for epoch in range(self.args.epochs):
            last = diagnose and epoch == self.args.epochs - 1
            for some in rows.shuffled(self.args.minibatches):
                noted = improve(self.laid_out(rows, some), last)
                if last:
                    found.append(noted)
        return means(found)

    def laid_out(self, rows: Experience, some: Tensor | None) -> Experience:
        """Those rows as the networks take them fastest."""
        policy = self.policy
        if not policy.packs:
            return rows.of(some)
        return rows.packed(some, self.round_up, policy.agents_apart)

    def improve(self, played: Experience, t_env: int, diagnose: bool) -> Statistics:
        """One step of the critic and one of the actors."""
        of_critic = self.improve_critic(played)
        return {**of_critic, **self.improve_actors(played, t_env, diagnose)}

    # What was played

    @torch.no_grad()
    def look_back(self, batch: EpisodeBatch) -> Round:
        """The batch as its policy played it, and as the critic sees it."""
        T = batch.max_seq_length - 1
        avail, actions = batch["avail_actions"][:, :T], batch["actions"][:, :T]
        mask = valid_steps(batch["filled"], batch["terminated"])  # (B, T, 1)
        view = self.policy.whole(batch, T)
        valid = mask.expand(-1, -1, self.args.n_agents)
        deciding = valid * self.head.has_choice(avail) if self.args.dead_mask else valid
        outputs, memory = self.unrolled(view, mask, deciding)
        judged = self.judge(batch)
        values, ahead = self.norm.restore(judged.values), self.norm.restore(judged.ahead)
        rewards = Rewards(batch["reward"][:, :T], batch["terminated"][:, :T].to(values), mask)
        returns = self.returns(rewards, ahead)  # (B, T, N)
        if self.args.value_norm:
            self.norm.update(returns, valid)
        return Round(
            view=view,
            memory=memory,
            outputs=outputs,
            avail=avail,
            actions=actions,
            log_probs=self.head.log_prob(outputs, avail, actions),
            critic_inputs=judged.inputs[:, :T],
            predicted=judged.values[:, :T],
            values=values[:, :T],
            rewards=rewards,
            ahead=ahead,
            returns=returns,
            valid=valid,
            deciding=deciding,
        )

    def unrolled(self, view: View, mask: Tensor, deciding: Tensor) -> tuple[Tensor, Tensor | None]:
        """What the actors say of steps, and their memory where rows may begin inside episodes."""
        T, how = mask.shape[1], (self.round_up,)
        memory = self.row_length(T) < T
        if self.policy.agents_apart:
            found = unrolled_agents(self.policy, view, deciding, memory, *how)
            if found is not None:
                return found
        return unrolled_steps(self.policy, view, mask, memory, *how)

    def judge(self, batch: EpisodeBatch) -> Judged:
        """What the critic says of every slot that an episode has."""
        inputs = self.critic.inputs(batch)
        steps = valid_steps(batch["filled"], batch["terminated"])
        reached = Steps(reached_slots(steps), round_up=self.round_up)
        values = ahead = judged_slots(self.critic, inputs, reached)
        if self.args.critic_targets:
            ahead = judged_slots(self.target_critic, inputs, reached)
        return Judged(inputs, values, ahead)

    def returns(self, rewards: Rewards, ahead: Tensor, trace: Tensor | None = None) -> Tensor:
        """The targets of the critic, from the values `ahead` (B, T + 1, N). (B, T, N)"""
        args = self.args
        if args.return_steps:
            return n_step_returns(*rewards, ahead, args.gamma, args.return_steps)
        return gae(*rewards, ahead, args.gamma, args.gae_lambda, trace) + ahead[:, :-1]

    @torch.no_grad()
    def in_rows(self, episodes: Round) -> Experience:
        """What was played, cut into rows that can be shuffled; some may be padding alone."""
        view, length = episodes.view, self.row_length(episodes.avail.shape[1])
        assert view.start is not None
        return Experience(
            memory=memory_before(view.start, episodes.memory, length),
            inputs=cut(view.inputs, length),
            avail=cut(episodes.avail, length),
            actions=cut(episodes.actions, length),
            critic_inputs=cut(episodes.critic_inputs, length),
            log_probs=cut(episodes.log_probs, length),
            values=cut(episodes.predicted, length),
            returns=cut(self.norm.normalise(episodes.returns), length),
            advantages=cut(self.advantages(episodes), length),
            valid=cut(episodes.valid, length),
            deciding=cut(episodes.deciding, length),
        )

    def advantages(self, episodes: Round) -> Tensor:
        """What the agents learn from. (B, T, N)"""
        advantages = episodes.returns - episodes.values
        if not self.args.normalise_advantages:
            return advantages
        return self.scaled(advantages, episodes.deciding)

    def scaled(self, advantages: Tensor, mask: Tensor) -> Tensor:
        """Of mean 0 and variance 1 over all agents."""
        spread = variance(advantages, mask).sqrt()
        return (advantages - mean_over(advantages, mask)) / (spread + 1e-8)

    def row_length(self, T: int) -> int:
        """Slots that must stay together, because memory runs through them."""
        if not self.policy.recurrent:
            return 1
        return min(T, self.args.chunk_length or T)

    # One step of each

    def improve_critic(self, played: Experience) -> Statistics:
        loss = self.value_loss(self.critic.values_of(played.critic_inputs), played)
        norm = self.step(self.args.critic_coef * loss, self.critic_optimiser, self.critic_params)
        return {"critic_loss": loss.detach(), "critic_grad_norm": norm}

    def value_loss(self, values: Tensor, played: Experience) -> Tensor:
        """Squared error, or with `value_clip` that of a value which moved no further than that."""
        errors = (values - played.returns).square()  # (R, L, N)
        if self.args.value_clip:
            moved = (values - played.values).clamp(-self.args.eps_clip, self.args.eps_clip)
            errors = torch.max(errors, (played.values + moved - played.returns).square())
        return mean_over(errors, played.valid)

    def improve_actors(self, played: Experience, t_env: int, diagnose: bool) -> Statistics:
        """One step up the surrogate."""
        view = played.view()

        def respond(policy: Policy, how: Drawing) -> Tensor:
            """How probable other actors hold the stored actions; nothing is drawn. (R, L, N)"""
            return policy.evaluate(view, played.avail, played.actions)[0]

        own, outputs = self.policy.evaluate(view, played.avail, played.actions)  # (R, L, N)
        entropy = self.head.entropy(outputs, played.avail)
        surrogate = self.objective(own, entropy, played, t_env)
        step = self.step_actors(surrogate, respond, t_env, diagnose)
        if not diagnose:
            return {}
        return of_update(step, surrogate.ratio, entropy, played, self.args.eps_clip)

    def objective(self, own: Tensor, entropy: Tensor, played: Experience, t_env: int) -> Surrogate:
        """What the actors' step climbs."""
        return Surrogate(own, entropy, played, self.args, self.reference(played))

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
def of_update(
    step: ActorStep, ratio: Tensor, entropy: Tensor, played: Experience, clip: float
) -> Statistics:
    """How far this step's policy has come from the one that played."""
    where = played.deciding
    return {
        "pg_loss": step.loss,
        "agent_grad_norm": step.grad_norm,
        # The mean of this is KL(old || new), and no single term is negative (Schulman's k3).
        "approx_kl": mean_over(ratio - 1 - ratio.log(), where),
        "clip_fraction": mean_over(((ratio - 1).abs() > clip).to(ratio.dtype), where),
        "entropy": mean_over(entropy, where),
        **{key: torch.as_tensor(value) for key, value in step.diagnostics.items()},
    }


def means(found: Sequence[Statistics]) -> Statistics:
    return {key: sum(each[key] for each in found) / len(found) for key in found[0]} if found else {}
