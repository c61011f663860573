"""The steps of a batch that count, laid end to end: padding costs nothing."""

from __future__ import annotations

from collections.abc import Callable
from itertools import accumulate
from typing import NamedTuple

import torch
from torch import Tensor


class Steps:
    """Picks valid steps out of (B, T, ...) as (1, n, ...): one long episode without padding.

    Their order: the first steps of all episodes, longest episode first, then all second ones ...
    On a GPU everything stays in place, to be masked: to count the steps it would have to wait.
    `round_up` may make n a number that multiplies faster. Then the last ones repeat the first step
    and do not count, which is what `mask` says.
    """

    def __init__(
        self,
        mask: Tensor,
        keep_padding: bool = False,
        round_up: Callable[[int], int] = int,
    ) -> None:
        """mask (B, T, 1) is 1 where a step counts; with `keep_padding` all do."""
        self._B, self._T = mask.shape[:2]
        self.round_up = round_up
        self._where = None
        if not keep_padding and self.packs(mask) and not bool(mask.all()):
            self._order = mask.sum(dim=(1, 2)).argsort(descending=True, stable=True)
            episodes, slots = in_order(mask, self._order)
            self._n_real = len(slots)
            n = round_up(self._n_real)
            self._where = filled_up(episodes, n), filled_up(slots, n)
        self.slots = Slots(self, mask)
        self.mask = torch.ones_like(mask) if keep_padding else self.take(mask)  # (1, n, 1)
        if self._where is not None:
            self.mask[:, self._n_real :] = 0

    @staticmethod
    def packs(mask: Tensor) -> bool:
        """Whether steps are laid end to end here."""
        return not mask.is_cuda

    def take(self, values: Tensor, first: int = 0) -> Tensor:
        """(B, T, ...) -> (1, n, ...); from more than T slots, those from `first` on."""
        if self._where is None:
            return values[:, first : first + self._T]
        episodes, slots = self._where
        return pick(values, episodes, slots + first)

    def put(self, values: Tensor) -> Tensor:
        """The inverse, with zeros for padding. (1, n, ...) -> (B, T, ...)"""
        if self._where is None:
            return values
        whole = values.new_zeros(self._B, self._T, *values.shape[2:])
        episodes, slots = self._where
        whole[episodes[: self._n_real], slots[: self._n_real]] = values[0, : self._n_real]
        return whole

    def mean(self, values: Tensor) -> Tensor:
        """The mean over steps of the sum over the last dimension. (1, n, X) -> ()"""
        return (values * self.mask).sum() / self.mask.sum()

    def ordered(self, mask: Tensor) -> Tensor | None:
        """The longest episodes first; None if all stay in place, or an episode has gaps."""
        if self._where is None or bool((mask[:, 1:] > mask[:, :-1]).any()):
            return None
        return self._order


class Slots:
    """What a memory has to run through: the steps' slots and the one after each last step.

    In the same order, so an episode that goes on is found among the first of the slot before.
    """

    running: list[int] | None = None  # episodes that reach each slot; None: all, in place

    def __init__(self, steps: Steps, mask: Tensor) -> None:
        self._steps = steps
        order = steps.ordered(mask)
        if order is None:
            return
        reached = torch.cat([torch.ones_like(mask[:, :1]), mask], dim=1)  # (B, T+1, 1)
        self.running = running_rows(reached)
        begins = torch.tensor([0, *accumulate(self.running)])
        slots, ranks = mask[order].squeeze(2).t().nonzero(as_tuple=True)
        self._n = n = steps.round_up(len(slots))
        self._now = filled_up(begins[slots] + ranks, n)  # (n,)
        self._m = steps.round_up(self.running[0] + n)
        episodes, slots = in_order(reached, order)
        self._where = filled_up(episodes, self._m), filled_up(slots, self._m)

    def take(self, values: Tensor) -> Tensor:
        """(B, T+1, ...) -> (1, m, ...)"""
        return values if self.running is None else pick(values, *self._where)

    def take_previous(self, values: Tensor) -> Tensor:
        """Of the slot before; zeros in the first. (B, T+1, ...) -> (1, m, ...)"""
        before = self._steps.take(values) if self.running else values[:, :-1]
        first = self.running[0] if self.running else 1
        shape = list(values.shape) if self.running is None else [1, self._m, *values.shape[2:]]
        previous = values.new_zeros(shape)
        previous[:, first : first + before.shape[1]] = before
        return previous

    def now(self, values: Tensor) -> Tensor:
        """At the steps themselves. (1, m, ...) -> (1, n, ...)"""
        return values.index_select(1, self._now) if self.running else self._steps.take(values)

    def following(self, values: Tensor) -> Tensor:
        """One slot after each step. (1, m, ...) -> (1, n, ...)"""
        if self.running is None:
            return self._steps.take(values, first=1)
        return values[:, self.running[0] : self.running[0] + self._n]


class Situation(NamedTuple):
    """What a critic sees at some steps."""

    obs: Tensor  # (1, n, N, O)
    state: Tensor  # (1, n, S)


def running_rows(mask: Tensor) -> list[int]:
    """How many of the rows of `mask` (R, L, 1) reach each slot, up to the last that any does."""
    return [int(rows) for rows in (mask > 0).sum(dim=(0, 2)) if rows > 0]


def in_order(mask: Tensor, order: Tensor) -> tuple[Tensor, Tensor]:
    """Episode and slot of the ones in `mask` (B, T, 1): slot by slot, episodes in `order`."""
    slots, ranks = mask[order].squeeze(2).t().nonzero(as_tuple=True)
    return order[ranks], slots


def filled_up(where: Tensor, n: int) -> Tensor:
    """Indices (n,): `where`, then zeros."""
    return torch.cat([where, where.new_zeros(n - len(where))])


def pick(values: Tensor, episodes: Tensor, slots: Tensor) -> Tensor:
    """(B, T, ...) -> (1, n, ...). Whole rows of a flat tensor: much faster than two indices."""
    where = episodes * values.shape[1] + slots
    return values.flatten(0, 1).index_select(0, where).unsqueeze(0)
