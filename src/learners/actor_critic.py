"""What FACMAC and MADDPG do alike: a critic by TD, actors up the critic's gradient."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any, NamedTuple

import torch
from torch import Tensor

from components.episode_buffer import EpisodeBatch
from components.experience import mean_over
from components.steps import Situation, Steps
from learners.klevel import Climb, Objective
from learners.policy_learner import PolicyLearner
from learners.recall import Recall
from modules.dense import rounded_up
from utils.errors import UserError
from utils.needs import CONTINUOUS, DISCRETE, Given, listed
from utils.returns import td_targets, valid_steps

Settings = dict[str, Any]
VALUE_AGENTS = {"cem": "mlp", "cemrnn": "rnn"}  # agents that judge actions -> those that choose
# Suggested for discrete policies where a setting is at its default: key -> (default, better).
SUITABLE = {
    "epsilon_start": (1.0, 0.5),
    "td_lambda": (0.0, 0.8),
    "lr": (0.0005, 0.0025),
    "critic_lr": (None, 0.0005),
}


def policy_and_replay(learner: type, given: Given) -> None:
    """Refuse settings of another family, with one list of what to change."""
    missing = {key: value for key, value in _policy(given).items() if given[key] != value}
    if given.learns and given["buffer_size"] <= given["batch_size"]:
        missing["buffer_size"] = 5000
    if not missing:
        return
    continuous = given.action_kind == CONTINUOUS
    if not continuous:
        missing |= {
            key: better for key, (default, better) in SUITABLE.items() if given[key] == default
        }
    if given["runner_scope"] == "transition":  # whose targets look one step ahead
        missing.pop("td_lambda", None)
    family = given["learner"].removesuffix("_discrete").removesuffix("_learner")
    config = f"{family}_mamujoco" if continuous else family
    raise UserError(
        f"learner={given['learner']} needs a policy that learns from replay. These settings do not "
        f"make one. Add: {listed(missing)}\nor start from --config={config} and set what differs."
    )


def _policy(given: Given) -> Settings:
    """What makes a policy for the environment's kind of action; nothing while that is unknown."""
    if given.action_kind is None:
        return {}
    needed: Settings = {"action_selector": "gaussian"}
    if given.action_kind == DISCRETE:
        # Sampling from the softmax with a floor of epsilon goes by either name.
        drawn = "multinomial" if given["action_selector"] == "multinomial" else "gumbel"
        needed = {"action_selector": drawn, "agent_output_type": "pi_logits"}
    if given["mac"] == "cem_mac":  # judges actions, has no policy
        needed["mac"] = "basic_mac"
    if given["agent"] in VALUE_AGENTS:
        needed["agent"] = VALUE_AGENTS[given["agent"]]
    return needed


class Lesson(NamedTuple):
    """A batch, at the steps to learn from."""

    batch: EpisodeBatch
    steps: Steps
    recall: Recall
    seen: Situation
    replayed: Tensor  # the stored actions, as vectors (1, n, N, A)


class ActorCriticLearner(PolicyLearner):
    """Subclasses say what the critic is, what it is worth, and what the actors climb."""

    needs = PolicyLearner.needs.also(
        demands=(policy_and_replay,), uses={"td_lambda", "actor_mask", "action_l2", "entropy_coef"}
    )

    # What subclasses say. Actions are vectors: one-hots, or what is continuous.

    def value(self, critic: Any, mixer: Any, seen: Situation, actions: Tensor) -> Tensor:
        """The value of `actions` (1, n, N, A). (1, n, 1 or N)"""
        raise NotImplementedError

    def objective(
        self, seen: Situation, own: Tensor, replayed: Tensor, steps: Steps
    ) -> PolicyObjective:
        """What the actors climb, for their present actions `own` (1, n, N, A)."""
        raise NotImplementedError

    # One update

    def train(self, batch: EpisodeBatch, t_env: int, episode_num: int) -> None:
        """Critic, actors, targets: in this order (FACMAC, Algorithm 1)."""
        steps = Steps(valid_steps(batch["filled"], batch["terminated"]), round_up=rounded_up)
        lesson = self.lesson(batch, steps)
        diagnose = self.log_due(t_env)
        of_critic = self.improve_critic(lesson)
        self.critic_training_steps += 1
        if not self.args.actor_mask:
            lesson = self.lesson(batch, Steps(steps.put(steps.mask), keep_padding=True))
        climb = self.improve_actors(lesson, t_env, diagnose)
        self.update_targets(self.critic_training_steps)

        def statistics() -> dict[str, Any]:
            of_actors = {"pg_loss": climb.loss, "agent_grad_norm": climb.grad_norm}
            return {**of_critic(), **of_actors, **climb.diagnostics}

        self.log_if_due(t_env, statistics)

    def lesson(self, batch: EpisodeBatch, steps: Steps) -> Lesson:
        replayed = self.head.vector(steps.take(batch["actions"]))
        recall = Recall(self.mac, batch, steps)
        return Lesson(batch, steps, recall, situation(batch, steps), replayed)

    def improve_critic(self, lesson: Lesson) -> Callable[[], dict[str, Tensor]]:
        """One step towards the TD targets; returns what computes its statistics."""
        taken = self.value(self.critic, self.mixer, lesson.seen, lesson.replayed)
        targets = self.targets(lesson)  # (1, n, 1 or N)
        mask = lesson.steps.mask.expand_as(taken)
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
    def targets(self, lesson: Lesson) -> Tensor:
        """TD targets with the greedy actions of the target actors. (1, n, 1 or N)"""
        batch, steps = lesson.batch, lesson.steps
        outputs = lesson.recall.following(self.target_mac)  # (1, n, N, A)
        greedy = self.head.mode(outputs, steps.take(batch["avail_actions"], first=1))
        seen = situation(batch, steps, first=1)
        following = self.value(self.target_critic, self.target_mixer, seen, greedy)
        return td_targets(batch, steps, following, self.args.gamma, self.args.td_lambda)

    def improve_actors(self, lesson: Lesson, t_env: int, diagnose: bool) -> Climb:
        """One step up the critic as it is now, from freshly drawn actions."""
        steps, recall = lesson.steps, lesson.recall
        avail = steps.take(lesson.batch["avail_actions"])
        outputs = recall.now(self.mac)  # (1, n, N, A)
        noise = self.head.noise(outputs)
        own = self.head.relaxed(outputs, avail, noise)

        def respond(mac: Any) -> Tensor:
            """The actions of other actors in the same situations. (1, n, N, A)"""
            others = recall.now(mac)
            fresh = self.args.k_noise == "fresh"
            hard = self.args.k_level_action == "hard"
            draw = self.head.noise(others) if fresh else noise
            return self.head.relaxed(others, avail, draw, hard=hard)

        objective = self.objective(lesson.seen, own, lesson.replayed, steps)
        if self.args.entropy_coef:
            objective.reward_entropy(self.head.entropy(outputs, avail))
        climb = self.climb(objective, respond, t_env, diagnose)
        if diagnose:
            climb.diagnostics = {
                **climb.diagnostics,
                "entropy": self.entropy(outputs, avail, steps),
            }
        return climb

    @torch.no_grad()
    def entropy(self, outputs: Tensor, avail: Tensor, steps: Steps) -> Tensor:
        """The mean entropy of the policies where they have a choice. ()"""
        deciding = self.head.has_choice(avail) * steps.mask  # (1, n, N)
        return mean_over(self.head.entropy(outputs, avail), deciding)


class PolicyObjective(Objective):
    """What objectives of policies have in common; `level0` is what level 1 takes others to do."""

    def __init__(self, own: Tensor, level0: Tensor, steps: Steps, args: SimpleNamespace) -> None:
        self.own, self.steps = own, steps  # (1, n, N, A)
        self._level0, self._args = level0, args
        # FACMAC's weak pull of continuous actions to zero.
        self._penalty: Tensor | float = 0.0
        if args.action_l2:
            self._penalty = args.action_l2 * steps.mean(own.square().mean(dim=(2, 3)).unsqueeze(2))

    def reward_entropy(self, entropy: Tensor) -> None:
        """Each J_i becomes J_i + entropy_coef H(pi_i). entropy (1, n, N)"""
        self._penalty = self._penalty - self._args.entropy_coef * self.steps.mean(entropy)

    def loss_of(self, values: Tensor) -> Tensor:
        """values (1, n, X), which add up"""
        return self._penalty - self.steps.mean(values)

    def diagnostics(self, others: Tensor | None) -> dict[str, Tensor]:
        """The share of actions that differ from those that level 1 answered."""
        if others is None or self._args.action_kind == "continuous":  # there all always do
            return {}
        changed = others.argmax(dim=3) != self._level0.argmax(dim=3)  # (1, n, N)
        return {"k/changed": self.steps.mean(changed.float().mean(dim=2, keepdim=True))}


def situation(batch: EpisodeBatch, steps: Steps, first: int = 0) -> Situation:
    """At the steps' slots, or with `first` 1 at those that follow."""
    return Situation(steps.take(batch["obs"], first), steps.take(batch["state"], first))
