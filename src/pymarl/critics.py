"""Critics that know only PyMARL's `forward(batch, t)`, or FACMAC's call with rows."""

from __future__ import annotations

from typing import Any, cast

from torch import Tensor, nn

from modules.contract import InputCritic, Utilities, UtilityCritic
from pymarl.overrides import speaks_for
from utils.errors import UserError


class ForeignCritic:
    """FACMAC's: rows of observations and actions, and a hidden state that is handed through."""

    def __init__(self, critic: nn.Module) -> None:
        self._critic = critic

    def __call__(self, obs: Tensor, actions: Tensor) -> tuple[Tensor, None]:
        return self.at(obs)(actions).unsqueeze(-1), None

    def at(self, obs: Tensor) -> Utilities:
        def utilities(actions: Tensor) -> Tensor:
            rows = obs.flatten(0, 2), actions.flatten(0, 2)
            return self._critic(*rows)[0].reshape(actions.shape[:3])

        return utilities


def critic_of(critic: nn.Module) -> UtilityCritic:
    """Itself if it can be prepared at observations."""
    if speaks_for(type(critic), "at", "forward"):
        return cast("UtilityCritic", critic)
    return ForeignCritic(critic)


def input_critic_of(critic: Any, name: str, learner: str) -> InputCritic:
    """Itself if its inputs can be made once and evaluated often; others are refused."""
    lacking = [method for method in ("inputs", "values_of") if not hasattr(critic, method)]
    if lacking:
        raise UserError(
            f"learner={learner} makes a critic's inputs(batch) once and evaluates "
            f"values_of(inputs) often; critic_type={name} has no {' and no '.join(lacking)}. "
            "A critic that only knows PyMARL's forward(batch, t) goes with the learner that it "
            "was written for."
        )
    return cast("InputCritic", critic)
