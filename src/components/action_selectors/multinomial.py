"""Sampling from given probabilities."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace

import torch
from torch import Tensor
from torch.distributions import Categorical

from components.action_selectors.selector import ActionSelector
from components.epsilon_schedules import SETTINGS
from pymarl.overrides import speaks_for
from utils.errors import UserError
from utils.needs import CONTINUOUS, Given, Needs


def policies_with_spread(selector: type, given: Given) -> None:
    """Continuous policies that are sampled have a density only if they have a spread."""
    if given.action_kind == CONTINUOUS and given["act_noise"] == 0:
        raise UserError(
            f"action_selector={given['action_selector']} samples continuous actions with a spread "
            "that begins at act_noise, and act_noise=0 leaves none. Type act_noise=0.1."
        )


class SoftPoliciesSelector(ActionSelector):
    """Samples from the policy; greedy in tests if `test_greedy`.

    It is given probabilities of discrete actions; for continuous ones, the network's outputs.
    """

    needs = Needs(
        demands=(policies_with_spread,),
        uses=frozenset({"test_greedy", "act_noise", "mask_before_softmax"}),
    )

    def select_action(
        self, agent_inputs: Tensor, avail_actions: Tensor, t_env: int, test_mode: bool = False
    ) -> Tensor:
        """Probabilities (b, N, A) -> actions (b, N); outputs (b, N, 2A) -> actions (b, N, A)."""
        greedy = test_mode and self.args.test_greedy
        act = self.head.most_preferred if greedy else self.head.sample
        return act(agent_inputs, avail_actions)

    def repeatable(
        self, avail: Tensor, t_env: int, testing: bool = False
    ) -> Callable[[Tensor], Tensor] | None:
        if not speaks_for(type(self), "repeatable", "choose", "select_action", "probabilities"):
            return None
        return self.head.repeatable(avail, greedy=testing and self.args.test_greedy)


class MultinomialActionSelector(SoftPoliciesSelector):
    """As above, and mixes the probabilities with a scheduled epsilon."""

    needs = SoftPoliciesSelector.needs.also(uses=SETTINGS)

    def __init__(self, args: SimpleNamespace) -> None:
        super().__init__(args)
        self.schedule_epsilon()

    def select_action(
        self, agent_inputs: Tensor, avail_actions: Tensor, t_env: int, test_mode: bool = False
    ) -> Tensor:
        if not test_mode and self.schedule is not None:
            self.epsilon = self.schedule.eval(t_env)
        return super().select_action(agent_inputs, avail_actions, t_env, test_mode)


def categorical_entropy(probs: Tensor) -> Tensor:
    """Entropy of normalised probabilities. (..., A) -> (...)"""
    return Categorical(probs=probs).entropy()


def multinomial_entropy(logits: Tensor) -> Tensor:
    """Entropy of the softmax of logits. (..., A) -> (...)"""
    return Categorical(logits=torch.as_tensor(logits)).entropy()
