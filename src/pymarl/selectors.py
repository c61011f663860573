"""Action selectors that know only PyMARL's `select_action`."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any, Protocol

from torch import Tensor

from components.action_heads import ActionHead
from components.action_selectors.selector import ActionSelector
from components.discrete_head import mask_unavailable


class Choosing(Protocol):
    """What policies choose actions by."""

    def choose(self, outputs: Tensor, avail: Tensor, t_env: int, testing: bool = False) -> Tensor:
        """Raw outputs (b, N, A) -> actions as they are stored (b, N, 1 or A)."""

    def repeatable(
        self, avail: Tensor, t_env: int, testing: bool = False
    ) -> Callable[[Tensor], Tensor] | None:
        """`choose` by random numbers that are drawn now, as `ActionSelector` has it."""

    def probabilities(
        self, outputs: Tensor, avail: Tensor, t_env: int | None = None, testing: bool = False
    ) -> Tensor:
        """What is drawn from. (b, N, A)"""


class ForeignSelector:
    """Gets values or probabilities, as PyMARL's controller hands them over.

    One that calls its first argument logits, as FACMAC's and PyMARL2's "gumbel" do, gets masked
    logits. One that is told whether to `explore` is FACMAC's, whose learners ask for one-hots.
    """

    def __init__(self, selector: Any, head: ActionHead) -> None:
        self.selector, self._head = selector, head
        self.explores = hasattr(selector, "epsilon")
        parameters = list(inspect.signature(selector.select_action).parameters)
        self._takes_logits = "logits" in parameters[0]
        self.gives_one_hots = "explore" in parameters

    @property
    def epsilon(self) -> float | None:
        return self.selector.epsilon if self.explores else None

    def choose(self, outputs: Tensor, avail: Tensor, t_env: int, testing: bool = False) -> Tensor:
        if self._takes_logits:
            given = mask_unavailable(outputs, avail)
        else:
            given = self.probabilities(outputs, avail, t_env, testing)
        told = {"explore": not testing} if self.gives_one_hots else {}
        played = self.selector.select_action(given, avail, t_env, test_mode=testing, **told)
        if played.shape == avail.shape:  # one-hots, or continuous actions
            return self._head.stored(played)
        return self._head.to_stored(played)

    def repeatable(self, avail: Tensor, t_env: int, testing: bool = False) -> None:
        return None  # nobody knows what it draws

    def probabilities(
        self, outputs: Tensor, avail: Tensor, t_env: int | None = None, testing: bool = False
    ) -> Tensor:
        if testing or not self.explores:
            return self._head.preferences(outputs, avail)
        schedule = None if t_env is None else getattr(self.selector, "schedule", None)
        floor = self.selector.epsilon if schedule is None else schedule.eval(t_env)
        return self._head.preferences(outputs, avail, floor)


def as_registered(selector: Choosing) -> Any:
    """The selector as controllers and runners written for PyMARL know it."""
    return selector.selector if isinstance(selector, ForeignSelector) else selector


def choosing(selector: Any, head: ActionHead) -> Choosing:
    """Itself if it is one of ours, which get raw outputs."""
    return selector if isinstance(selector, ActionSelector) else ForeignSelector(selector, head)
