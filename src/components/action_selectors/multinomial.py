"""Sampling from given probabilities."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import torch
from torch import Tensor
from torch.distributions import Categorical

from components.action_heads import build_head
from components.action_selectors.drawing import draw
from components.epsilon_schedules import SETTINGS, DecayThenFlatSchedule
from utils.needs import Needs


class SoftPoliciesSelector:
    """Samples from the policy; greedy in tests if `test_greedy`.

    It is given probabilities of discrete actions; for continuous ones, the network's outputs.
    """

    needs = Needs(uses=frozenset({"test_greedy", "act_noise", "mask_before_softmax"}))

    def __init__(self, args: SimpleNamespace) -> None:
        self.args = args
        self.head: Any = build_head(args)

    def select_action(
        self, agent_inputs: Tensor, avail_actions: Tensor, t_env: int, test_mode: bool = False
    ) -> Tensor:
        """Probabilities (b, N, A) -> actions (b, N); outputs (b, N, 2A) -> actions (b, N, A)."""
        greedy = test_mode and self.args.test_greedy
        if self.args.action_kind == "continuous":
            act = self.head.mode if greedy else self.head.explore
            return act(agent_inputs, avail_actions)
        # An unavailable action must lose even where all probabilities have underflowed.
        if greedy:
            return agent_inputs.masked_fill(avail_actions == 0, -1.0).argmax(dim=-1)
        tiny = torch.finfo(agent_inputs.dtype).tiny
        return draw(agent_inputs.clamp_min(tiny).masked_fill(avail_actions == 0, 0.0))


class MultinomialActionSelector(SoftPoliciesSelector):
    """As above, and keeps the schedule of the epsilon that the controller mixes in."""

    needs = SoftPoliciesSelector.needs.also(uses=SETTINGS)

    def __init__(self, args: SimpleNamespace) -> None:
        super().__init__(args)
        self.schedule = DecayThenFlatSchedule(
            args.epsilon_start, args.epsilon_finish, args.epsilon_anneal_time, decay="linear"
        )
        self.epsilon = self.schedule.eval(0)

    def select_action(
        self, agent_inputs: Tensor, avail_actions: Tensor, t_env: int, test_mode: bool = False
    ) -> Tensor:
        if not test_mode:
            self.epsilon = self.schedule.eval(t_env)
        return super().select_action(agent_inputs, avail_actions, t_env, test_mode)


def categorical_entropy(probs: Tensor) -> Tensor:
    """Entropy of normalised probabilities. (..., A) -> (...)"""
    return Categorical(probs=probs).entropy()


def multinomial_entropy(logits: Tensor) -> Tensor:
    """Entropy of the softmax of logits. (..., A) -> (...)"""
    return Categorical(logits=torch.as_tensor(logits)).entropy()
