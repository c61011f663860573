"""QTRAN-base (Son et al. 2019): factorise a joint value that no mixing network constrains."""

from __future__ import annotations

from types import SimpleNamespace
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional as F

from components.discrete_head import mask_unavailable
from components.episode_buffer import EpisodeBatch
from components.minibatch import View, valid_steps
from components.scheme import Scheme
from controllers.contract import MAC
from learners.base import Learner
from learners.contract import Statistics
from learners.demands import value_agents
from learners.optim import build_optimiser
from learners.state import Stateful
from modules.mixers import REGISTRY as MIXERS
from modules.mixers.qtran import QTranBase
from utils.errors import UserError
from utils.logging import Logger
from utils.needs import Given


class Losses(NamedTuple):
    """The three terms, each a masked mean."""

    td: Tensor
    opt: Tensor
    nopt: Tensor


def joint_mixer(learner: type, given: Given) -> None:
    name = given["mixer"]
    if name is not None and issubclass(MIXERS[name], QTranBase):
        return
    if name == "qtran_base":
        raise UserError(
            "learner=qtran_learner needs our mixer of that name, and a plugin has registered "
            "another as qtran_base. It goes with the learner that it was written for."
        )
    raise UserError(f"learner=qtran_learner needs mixer=qtran_base, not '{name}'.")


class QTranLearner(Learner):
    """Minimises L_td + opt_loss L_opt + nopt_min_loss L_nopt (Eq. 4a to 4c of the paper)."""

    needs = Learner.needs.also(
        demands=(value_agents, joint_mixer), uses={"mixer", "double_q", "opt_loss", "nopt_min_loss"}
    )
    stateful = ("optimiser",)
    mixer: QTranBase
    target_mixer: QTranBase

    def __init__(self, mac: MAC, scheme: Scheme, logger: Logger, args: SimpleNamespace) -> None:
        super().__init__(mac, scheme, logger, args)
        self.params = [*mac.parameters(), *self.mixer.parameters()]
        self.optimiser = build_optimiser(args.optimizer, self.params, args.lr, args)

    def train(self, batch: EpisodeBatch, t_env: int, episode_num: int) -> None:
        args = self.args
        view = self.policy.whole(batch, batch.max_seq_length)
        utilities, features = self.policy.unroll(view)  # (B, T+1, N, A), (B, T+1, N, H)
        greedy = self.greedy(batch, utilities)  # (B, T+1, N, 1)
        best = utilities[:, :-1].gather(3, greedy[:, :-1]).squeeze(3)  # (B, T, N)
        chosen = utilities[:, :-1].gather(3, batch["actions"][:, :-1]).squeeze(3)
        states, features = batch["state"][:, :-1], features[:, :-1]
        joint, state_value = self.mixer.values(states, features, batch["actions_onehot"][:, :-1])
        with torch.no_grad():  # L_opt and L_nopt hold the joint value fixed
            joint_of_greedy, _ = self.mixer.values(states, features, self._one_hot(greedy[:, :-1]))
            targets = self.targets(batch, view, greedy)

        mask = valid_steps(batch["filled"], batch["terminated"])  # (B, T, 1)
        td_error = joint - targets
        gap_greedy = best.sum(dim=2, keepdim=True) - joint_of_greedy + state_value
        gap_chosen = chosen.sum(dim=2, keepdim=True) - joint.detach() + state_value

        def mean(values: Tensor) -> Tensor:
            return (values * mask).sum() / mask.sum()

        losses = Losses(
            td=mean(td_error.square()),
            opt=mean(gap_greedy.square()),
            nopt=mean(gap_chosen.clamp(max=0).square()),
        )
        loss = losses.td + args.opt_loss * losses.opt + args.nopt_min_loss * losses.nopt
        grad_norm = self.step(loss, self.optimiser, self.params)
        self.update_targets(episode_num)

        def statistics() -> Statistics:
            return {
                "loss": loss.detach(),
                "td_loss": losses.td.detach(),
                "opt_loss": losses.opt.detach(),
                "nopt_loss": losses.nopt.detach(),
                "grad_norm": grad_norm,
                "td_error_abs": mean(td_error.abs()).detach(),
                "td_targets": mean(targets),
                "td_chosen_qs": mean(joint).detach(),
                "v_mean": mean(state_value).detach(),
                "agent_indiv_qs": mean(chosen.mean(dim=2, keepdim=True)).detach(),
            }

        self.log_if_due(t_env, statistics)

    def targets(self, batch: EpisodeBatch, view: View, greedy: Tensor) -> Tensor:
        """r + gamma (1 - end) Q_jt'(s', greedy). greedy (B, T+1, N, 1) -> (B, T, 1)"""
        utilities, features = self.target_policy.unroll(view)
        if not self.args.double_q:
            greedy = self.greedy(batch, utilities)
        actions = self._one_hot(greedy[:, 1:])
        following, _ = self.target_mixer.values(batch["state"][:, 1:], features[:, 1:], actions)
        going_on = 1 - batch["terminated"][:, :-1].float()
        return batch["reward"][:, :-1] + self.args.gamma * going_on * following

    @staticmethod
    def greedy(batch: EpisodeBatch, utilities: Tensor) -> Tensor:
        """The available action of the highest utility. (B, T+1, N, 1)"""
        return mask_unavailable(utilities, batch["avail_actions"]).argmax(dim=3, keepdim=True)

    def _one_hot(self, actions: Tensor) -> Tensor:
        """(B, T, N, 1) -> (B, T, N, A)"""
        return F.one_hot(actions.squeeze(3), self.args.n_actions).float()

    def files(self) -> dict[str, Stateful]:
        return {**super().files(), "opt.th": self.optimiser}
