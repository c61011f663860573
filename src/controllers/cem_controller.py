"""A controller for agents that value continuous actions: it acts by searching for the best one."""

from __future__ import annotations

import copy
from types import SimpleNamespace
from typing import Any

import torch
from torch import Tensor

from components.action_heads import ContinuousHead
from components.cem import search
from components.episode_buffer import EpisodeBatch
from controllers.basic_controller import BasicMAC
from utils.errors import UserError


class CEMMAC(BasicMAC):
    """COMIX's and COVDN's: the cross-entropy method on each agent's own value."""

    head: ContinuousHead

    def __init__(self, scheme: dict[str, Any], groups: Any, args: SimpleNamespace) -> None:
        if args.action_kind != "continuous" or args.agent not in ("cem", "cemrnn"):
            raise UserError(
                "mac=cem_mac searches for continuous actions with agent=cem or agent=cemrnn; here "
                f"agent={args.agent}, and the actions of env={args.env} are {args.action_kind}."
            )
        gaussian = copy.copy(args)
        gaussian.action_selector = "gaussian"
        super().__init__(scheme, groups, gaussian)

    def select_actions(
        self,
        ep_batch: EpisodeBatch,
        t_ep: int,
        t_env: int,
        bs: Any = slice(None),
        test_mode: bool = False,
        explore: bool = True,
    ) -> Tensor:
        """The best actions found for episodes `bs`, with noise while exploring. (b, N, A)"""
        features = self._step(ep_batch, t_ep)[bs]  # (b, N, H)
        found = self.search(features)
        if test_mode or not explore:
            return self.head.mode(found, found)
        return self.head.explore(found, found)

    @torch.no_grad()
    def search(self, features: Tensor) -> Tensor:
        """The best actions, before the head's tanh. features (..., N, H) -> (..., N, A)"""
        start = features.new_zeros(*features.shape[:-1], self.args.n_actions)
        return search(lambda raw: self.judge(features, self.head.mode(raw, raw)), start)

    def judge(self, features: Tensor, actions: Tensor) -> Tensor:
        """Each agent's values of `actions` (samples, ..., N, A) or (..., N, A)."""
        return self.agent.judge(features, actions)
