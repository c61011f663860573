"""COMIX and COVDN: QMIX and VDN for continuous actions (Peng et al. 2021)."""

from __future__ import annotations

from types import SimpleNamespace

import torch
from torch import Tensor

from components.episode_buffer import EpisodeBatch
from controllers.basic_controller import Unroll
from learners.q_learner import QLearner
from utils.errors import UserError


class CQLearner(QLearner):
    """As QMIX, but the greedy action of the target networks is searched for, not read off."""

    def check(self, args: SimpleNamespace) -> None:
        if args.mac != "cem_mac":
            raise UserError(
                "learner=cq_learner needs values of continuous actions. Type mac=cem_mac with "
                "agent=cem or agent=cemrnn, or start from --config=comix."
            )

    def utilities_taken(self, batch: EpisodeBatch, online: Unroll) -> Tensor:
        return self.mac.judge(online.outputs[:, :-1], batch["actions"][:, :-1])

    @torch.no_grad()
    def utilities_at_best(self, batch: EpisodeBatch, online: Unroll) -> Tensor:
        slow = self.target_mac
        features = slow.unroll(batch, first=1).outputs  # (B, T, N, H)
        found = slow.search(features)
        return slow.judge(features, slow.head.mode(found, found))
