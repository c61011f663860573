"""IQL, VDN and QMIX: Q-learning on a mixture of the agents' utilities."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import torch
from torch import Tensor

from components.action_heads import mask_unavailable
from components.episode_buffer import EpisodeBatch
from components.steps import Steps
from learners.base import Learner
from learners.recall import Recall
from modules.dense import rounded_up
from utils.errors import UserError
from utils.logging import Logger
from utils.needs import CONTINUOUS, Given
from utils.optim import build_optimiser
from utils.returns import td_targets, valid_steps

POLICY_SELECTORS = ("multinomial", "soft_policies", "gumbel", "gaussian")


def value_agents(learner: type, given: Given) -> None:
    """Q-learning needs a value for each of finitely many actions."""
    name = given["learner"]
    if given.action_kind == CONTINUOUS:
        raise UserError(
            f"learner={name} needs discrete actions, and those of env={given['env']} are "
            "continuous. Choose an environment with discrete actions, e.g. --env-config=grid."
        )
    if given["agent_output_type"] != "q":
        raise UserError(
            f"learner={name} learns utilities, but agent_output_type is "
            f"'{given['agent_output_type']}'. "
            "Type agent_output_type=q action_selector=epsilon_greedy."
        )
    if given["action_selector"] in POLICY_SELECTORS:
        raise UserError(
            f"action_selector={given['action_selector']} draws from a policy, and "
            f"learner={name} learns utilities. Type action_selector=epsilon_greedy."
        )


class QLearner(Learner):
    """Minimises sum m (Q_tot(s, a) - r - gamma (1 - end) Q_tot'(s', argmax Q))^2 / sum m.

    No mixer makes this IQL: each agent fits the team reward with its own utility.
    """

    needs = Learner.needs.also(demands=(value_agents,), uses={"mixer", "double_q", "td_lambda"})

    def __init__(
        self, mac: Any, scheme: dict[str, Any], logger: Logger, args: SimpleNamespace
    ) -> None:
        super().__init__(mac, scheme, logger, args)
        self.params = list(mac.parameters())
        if self.mixer is not None:
            self.params += list(self.mixer.parameters())
        self.optimiser = build_optimiser(args.optimizer, self.params, args.lr, args)

    def train(self, batch: EpisodeBatch, t_env: int, episode_num: int) -> None:
        steps = Steps(valid_steps(batch["filled"], batch["terminated"]), round_up=rounded_up)
        recall = Recall(self.mac, batch, steps)
        now, following = recall.both(self.mac)  # (1, n, N, A)
        utilities = self.utilities_of(now, steps.take(batch["actions"]))  # (1, n, N)
        taken = self.mix(self.mixer, utilities, steps.take(batch["state"]))
        targets = self.targets(batch, steps, recall, following.detach())  # (1, n, 1 or N)

        mask = steps.mask.expand_as(taken)
        td_error = (taken - targets) * mask
        loss = td_error.square().sum() / mask.sum()
        grad_norm = self.step(loss, self.optimiser, self.params)
        self.update_targets(episode_num)

        def statistics() -> dict[str, Tensor]:
            count = mask.sum()
            return {
                "loss": loss.detach(),
                "grad_norm": grad_norm,
                "td_error_abs": td_error.abs().sum() / count,
                # Divided by the number of agents as PyMARL does, so that old plots compare.
                "q_taken_mean": (taken * mask).sum() / (count * self.args.n_agents),
                "target_mean": (targets * mask).sum() / (count * self.args.n_agents),
            }

        self.log_if_due(t_env, statistics)

    @torch.no_grad()
    def targets(self, batch: EpisodeBatch, steps: Steps, recall: Recall, online: Tensor) -> Tensor:
        """TD targets from the target networks' values; `online` (1, n, N, A) may choose.

        (1, n, 1 or N)
        """
        avail = steps.take(batch["avail_actions"], first=1)
        best = self.utilities_at_best(recall.following(self.target_mac), online, avail)  # (1, n, N)
        values = self.mix(self.target_mixer, best, steps.take(batch["state"], first=1))
        return td_targets(batch, steps, values, self.args.gamma, self.args.td_lambda)

    # What depends on the kind of action

    def utilities_of(self, outputs: Tensor, actions: Tensor) -> Tensor:
        """Of stored actions. (1, n, N, A) -> (1, n, N)"""
        return outputs.gather(3, actions).squeeze(3)

    def utilities_at_best(self, slow: Tensor, online: Tensor, avail: Tensor) -> Tensor:
        """The target networks' values of the greedy actions. (1, n, N, A) -> (1, n, N)"""
        judge = online if self.args.double_q else slow
        best = mask_unavailable(judge, avail).argmax(dim=3, keepdim=True)
        return slow.gather(3, best).squeeze(3)

    @staticmethod
    def mix(mixer: Any, utilities: Tensor, states: Tensor) -> Tensor:
        """(B, T, N) -> (B, T, 1); without a mixer unchanged. Foreign mixers may flatten."""
        if mixer is None:
            return utilities
        return mixer(utilities, states).reshape(*utilities.shape[:2], 1)

    def files(self) -> dict[str, Any]:
        return {**super().files(), "opt.th": self.optimiser}
