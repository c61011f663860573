"""Action selectors that know only PyMARL's `select_action`."""

from __future__ import annotations

from typing import Any, Protocol

from torch import Tensor

from components.action_heads import ActionHead
from components.action_selectors.selector import ActionSelector


class Choosing(Protocol):
    """What policies choose actions by."""

    def choose(self, outputs: Tensor, avail: Tensor, t_env: int, testing: bool = False) -> Tensor:
        """Raw outputs (b, N, A) -> actions as they are stored (b, N, 1 or A)."""

    def probabilities(
        self, outputs: Tensor, avail: Tensor, t_env: int | None = None, testing: bool = False
    ) -> Tensor:
        """What is drawn from. (b, N, A)"""


class ForeignSelector:
    """Gets values or probabilities, as PyMARL's controller hands them over."""

    def __init__(self, selector: Any, head: ActionHead) -> None:
        self.selector, self._head = selector, head
        self.explores = hasattr(selector, "epsilon")

    @property
    def epsilon(self) -> float | None:
        return self.selector.epsilon if self.explores else None

    def choose(self, outputs: Tensor, avail: Tensor, t_env: int, testing: bool = False) -> Tensor:
        preferences = self.probabilities(outputs, avail, t_env, testing)
        played = self.selector.select_action(preferences, avail, t_env, test_mode=testing)
        if played.shape == avail.shape:  # one-hots, or continuous actions
            return self._head.stored(played)
        return self._head.to_stored(played)

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
