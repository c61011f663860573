"""The policy of agents that value continuous actions: it searches for the best one (COMIX)."""

from __future__ import annotations

import copy
from types import SimpleNamespace
from typing import Any

import torch
from torch import Tensor

from components.cem import search
from policies.contract import Observed
from policies.independent import EVERY_ROW, IndependentPolicy
from utils.errors import UserError
from utils.needs import DISCRETE, Given, Needs, require


def continuous_actions(policy: type, given: Given) -> None:
    kind, agent = given.action_kind, given["agent"]
    if kind == DISCRETE or agent not in ("cem", "cemrnn"):
        actions = "" if kind is None else f", and the actions of env={given['env']} are {kind}"
        raise UserError(
            "mac=cem_mac searches for continuous actions with agent=cem or agent=cemrnn; here "
            f"agent={agent}{actions}."
        )


class CEMPolicy(IndependentPolicy):
    """The cross-entropy method on each agent's own value. `outputs` are features to value by."""

    needs = Needs(demands=(continuous_actions,))
    fixed_selector = "gaussian"  # whatever `action_selector` says

    def __init__(self, scheme: dict[str, Any], groups: Any, args: SimpleNamespace) -> None:
        require(type(self), Given(vars(args)))
        gaussian = copy.copy(args)
        gaussian.action_selector = self.fixed_selector
        super().__init__(scheme, groups, gaussian)

    def act(
        self,
        seen: Observed,
        memory: Tensor,
        t_env: int,
        testing: bool = False,
        rows: Any = EVERY_ROW,
    ) -> tuple[Tensor, Tensor]:
        """The best actions found, with noise while exploring. (b, N, A)"""
        features, memory = self.one_slot(self.inputs_of(seen), memory)
        found = self.search(features[rows])
        return self.selector.choose(found, found, t_env, testing), memory

    @torch.no_grad()
    def search(self, features: Tensor) -> Tensor:
        """The best actions, before the head's tanh. features (..., N, H) -> (..., N, A)"""
        start = features.new_zeros(*features.shape[:-1], self.args.n_actions)
        return search(lambda raw: self.values(features, self.head.mode(raw, raw)), start)

    def values(self, features: Tensor, actions: Tensor) -> Tensor:
        """Each agent's values of `actions` (samples, ..., N, A) or (..., N, A)."""
        return self.agent.judge(features, actions)
