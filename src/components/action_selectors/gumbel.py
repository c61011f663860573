"""FACMAC's discrete policy: one-hot actions, differentiable while learning."""

from __future__ import annotations

from types import SimpleNamespace

import torch
from torch import Tensor

from components.action_selectors.selector import ActionSelector
from components.discrete_head import draw
from components.epsilon_schedules import SETTINGS
from utils.needs import Needs


class GumbelSoftmax(ActionSelector):
    """explore: sample softmax mixed with a uniform epsilon. learn: straight-through Gumbel.
    test: the most probable action, the first one if several are."""

    needs = Needs(uses=SETTINGS | {"test_greedy"})

    gives_one_hots = True

    def __init__(self, args: SimpleNamespace) -> None:
        super().__init__(args)
        self.schedule_epsilon()

    def choose(self, outputs: Tensor, avail: Tensor, t_env: int, testing: bool = False) -> Tensor:
        """Logits (b, N, A) -> indices (b, N, 1)."""
        one_hots = self.select_action(outputs, avail, t_env, testing, explore=not testing)
        return self.head.stored(one_hots)

    def select_action(
        self,
        agent_inputs: Tensor,
        avail_actions: Tensor,
        t_env: int,
        test_mode: bool = False,
        explore: bool = False,
    ) -> Tensor:
        """Logits (b, N, A) -> one-hot actions (b, N, A)."""
        if test_mode and self.args.test_greedy:
            return self.head.mode(agent_inputs, avail_actions)
        if explore:
            return self._explore(agent_inputs, avail_actions, t_env)
        noise = self.head.noise(agent_inputs)
        return self.head.relaxed(agent_inputs, avail_actions, noise)

    def _explore(self, logits: Tensor, avail: Tensor, t_env: int) -> Tensor:
        assert self.schedule is not None
        self.epsilon = self.schedule.eval(t_env)
        absent = avail == 0
        lowest = torch.finfo(logits.dtype).min
        policy = torch.softmax(logits.masked_fill(absent, lowest), dim=-1)  # (b, N, A)
        uniform = self.epsilon / avail.sum(dim=-1, keepdim=True).clamp_min(1)  # (b, N, 1)
        mixed = (1 - self.epsilon) * policy + uniform
        chosen = draw(mixed.masked_fill(absent, 0.0))  # (b, N)
        return torch.zeros_like(logits).scatter_(-1, chosen.unsqueeze(-1), 1)
