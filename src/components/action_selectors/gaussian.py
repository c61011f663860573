"""Continuous actions: the policy's action, with noise while training."""

from __future__ import annotations

from types import SimpleNamespace

from torch import Tensor

from components.action_selectors.selector import ActionSelector
from utils.errors import UserError
from utils.needs import DISCRETE, Given, Needs, require


def continuous_actions(selector: type, given: Given) -> None:
    if given.action_kind == DISCRETE:
        raise UserError(
            f"action_selector=gaussian is for continuous actions, and those of env={given['env']} "
            "are discrete. Type action_selector=gumbel for a policy, epsilon_greedy for values."
        )


class GaussianActionSelector(ActionSelector):
    """Noise N(0, act_noise), clamped to the action bounds; none in tests."""

    needs = Needs(demands=(continuous_actions,), uses=frozenset({"act_noise"}))

    def __init__(self, args: SimpleNamespace) -> None:
        require(type(self), Given(vars(args)))
        super().__init__(args)

    def select_action(
        self, agent_inputs: Tensor, avail_actions: Tensor, t_env: int, test_mode: bool = False
    ) -> Tensor:
        """Outputs (b, N, A) -> actions (b, N, A)."""
        act = self.head.most_preferred if test_mode else self.head.sample
        return act(agent_inputs, avail_actions)
