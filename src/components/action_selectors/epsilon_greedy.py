"""Greedy, but for a random available action now and then."""

from __future__ import annotations

from types import SimpleNamespace

import torch
from torch import Tensor

from components.action_selectors.selector import ActionSelector
from components.discrete_head import draw
from components.epsilon_schedules import SETTINGS
from utils.needs import Needs


class EpsilonGreedyActionSelector(ActionSelector):
    """`epsilon` is the training schedule's; tests use `evaluation_epsilon` and leave it be."""

    needs = Needs(uses=SETTINGS | {"evaluation_epsilon"})

    def __init__(self, args: SimpleNamespace) -> None:
        super().__init__(args)
        self.schedule_epsilon()

    def select_action(
        self, agent_inputs: Tensor, avail_actions: Tensor, t_env: int, test_mode: bool = False
    ) -> Tensor:
        """Utilities (b, N, A) -> actions (b, N)."""
        assert self.schedule is not None
        if not test_mode:
            self.epsilon = self.schedule.eval(t_env)
        epsilon = self.args.evaluation_epsilon if test_mode else self.epsilon
        lowest = torch.finfo(agent_inputs.dtype).min
        greedy = agent_inputs.masked_fill(avail_actions == 0, lowest).argmax(dim=-1)  # (b, N)
        explores = torch.rand_like(agent_inputs[..., 0]) < epsilon  # (b, N)
        return torch.where(explores, draw(avail_actions.float()), greedy)
