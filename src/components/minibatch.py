"""A batch laid out once for learning: its valid steps end to end, so that padding costs nothing."""

from __future__ import annotations

import copy
from collections.abc import Callable
from itertools import accumulate
from typing import Any, NamedTuple

import torch
from torch import Tensor

Running = list[int] | None  # episodes that reach each slot; None: all of them
RoundUp = Callable[[int], int]


class At(NamedTuple):
    """What a batch holds at one slot of each step."""

    obs: Tensor  # (1, n, N, O)
    state: Tensor  # (1, n, S)
    avail: Tensor  # (1, n, N, A)


class Minibatch:
    """The steps of an episode batch to learn from, laid out once, as (1, n, ...).

    `now` is at the slot of each step, `next` at the slot after it.
    """

    def __init__(self, batch: Any, keep_padding: bool = False, round_up: RoundUp = int) -> None:
        """With `keep_padding` every slot counts, as some of FACMAC's actors learn.

        `round_up` may make the number of steps one that multiplies faster: see `Steps`.
        """
        self.batch, fields = batch, batch.data.transition_data
        self.valid = valid_steps(fields["filled"], fields["terminated"])  # (B, T, 1)
        self.steps = steps = Steps(self.valid, keep_padding, round_up)
        self.mask = steps.mask  # (1, n, 1)
        seen = fields["obs"], fields["state"], fields["avail_actions"]
        self.now = At(*(steps.take(field) for field in seen))
        self.next = At(*(steps.take(field, first=1) for field in seen))
        self.actions = steps.take(fields["actions"])  # as stored (1, n, N, 1 or A)
        self.reward = steps.take(fields["reward"])  # (1, n, 1)
        self.terminated = steps.take(fields["terminated"])  # (1, n, 1)
        self.slots = Slots(steps, self.valid)  # for networks with a memory


Index = Any  # a tensor of places, a slice, or a function where rows stay in place


class View(NamedTuple):
    """Rows of consecutive slots as the agents' networks see them."""

    inputs: Any  # (R, L, N, F); or laid end to end (1, m, N, F)
    start: Tensor | None = None  # memory before the first slots (R, N, H); None is blank
    running: Running = None  # how many rows reach each slot, once they are laid end to end
    asked: Index | None = None  # which of the L or m slots are asked for; None is all


class Views(NamedTuple):
    """The agents' inputs at the slots of a minibatch, built once for networks alike."""

    now: View  # asks for the steps' own slots
    next: View  # asks for the slots after them
    all: View  # asks for both


class Steps:
    """Picks valid steps out of (B, T, ...) as (1, n, ...): one long episode without padding.

    Their order: the first steps of all episodes, longest episode first, then all second ones ...
    On a GPU everything stays in place, to be masked: to count the steps it would have to wait. So
    it does if an episode has gaps, for a memory has to run through these.
    `round_up` may make n a number that multiplies faster. Then the last ones repeat the first step
    and do not count, which is what `mask` says.
    """

    def __init__(
        self,
        mask: Tensor,
        keep_padding: bool = False,
        round_up: RoundUp = int,
    ) -> None:
        """mask (B, T, 1) is 1 where a step counts; with `keep_padding` all do."""
        self._B, self._T = mask.shape[:2]
        self.round_up = round_up
        self.order: Tensor | None = None  # the longest episodes first; None if all stay in place
        self._where: tuple[Tensor, Tensor] | None = None
        if not keep_padding and self.packs(mask) and not bool(mask.all()) and not has_gaps(mask):
            self.order = mask.sum(dim=(1, 2)).argsort(descending=True, stable=True)
            episodes, slots = in_order(mask, self.order)
            self._n_real = len(slots)
            n = round_up(self._n_real)
            self._where = filled_up(episodes, n), filled_up(slots, n)
        self.mask = torch.ones_like(mask) if keep_padding else self.take(mask)  # (1, n, 1)
        if self._where is not None:
            self.mask[:, self._n_real :] = 0

    @staticmethod
    def packs(mask: Tensor) -> bool:
        """Whether steps are laid end to end here."""
        return not mask.is_cuda

    @property
    def where(self) -> tuple[Tensor, Tensor]:
        """Episode and slot of each step, if they are laid end to end. (n,)"""
        assert self._where is not None
        return self._where

    @property
    def where_real(self) -> tuple[Tensor, Tensor]:
        """The same of those that count."""
        episodes, slots = self.where
        return episodes[: self._n_real], slots[: self._n_real]

    def among(self, rows: Tensor) -> Steps:
        """The same steps to be taken from more rows, of which these are `rows` (B,)."""
        assert self.order is not None
        found, (episodes, slots) = copy.copy(self), self.where
        found.order, found._where = rows[self.order], (rows[episodes], slots)
        return found

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
        episodes, slots = self.where_real
        whole[episodes, slots] = values[0, : self._n_real]
        return whole


class Slots:
    """What a memory has to run through: the steps' slots and the one after each last step.

    In the same order, so an episode that goes on is found among the first of the slot before.
    """

    running: Running = None  # episodes that reach each slot; None: all, in place

    def __init__(self, steps: Steps, mask: Tensor) -> None:
        self._steps, T = steps, mask.shape[1]
        self.now: Index = slice(0, T)  # which of these slots are the steps themselves
        self.next: Index = slice(1, T + 1)  # and which are one after each step
        order = steps.order
        if order is None:
            return
        reached = reached_slots(mask)
        self.running = running = running_rows(reached)
        begins = torch.tensor([0, *accumulate(running)])
        slots, ranks = mask[order].squeeze(2).t().nonzero(as_tuple=True)
        n = steps.round_up(len(slots))
        self.now = filled_up(begins[slots] + ranks, n)  # (n,)
        self.next = slice(running[0], running[0] + n)
        self._m = steps.round_up(running[0] + n)
        episodes, slots = in_order(reached, order)
        self._where = filled_up(episodes, self._m), filled_up(slots, self._m)

    def take(self, values: Tensor) -> Tensor:
        """(B, T+1, ...) -> (1, m, ...)"""
        return values if self.running is None else pick(values, *self._where)

    def take_seen(self, obs: Tensor, actions: Tensor | None) -> tuple[Tensor, Tensor | None]:
        """Observations (1, m, N, O), and the actions one slot before (1, m, N, A) if given."""
        return self.take(obs), None if actions is None else self.take_previous(actions)

    def take_previous(self, values: Tensor) -> Tensor:
        """Of the slot before; zeros in the first. (B, T+1, ...) -> (1, m, ...)"""
        before = self._steps.take(values) if self.running else values[:, :-1]
        first = self.running[0] if self.running else 1
        shape = list(values.shape) if self.running is None else [1, self._m, *values.shape[2:]]
        previous = values.new_zeros(shape)
        previous[:, first : first + before.shape[1]] = before
        return previous


def reached_slots(mask: Tensor) -> Tensor:
    """1 at the first slot, and after each step of `mask` (B, T, 1), if that has no gaps.

    (B, T + 1, 1)
    """
    return torch.cat([torch.ones_like(mask[:, :1]), mask], dim=1)


def has_gaps(mask: Tensor) -> bool:
    """Whether steps that count follow ones that do not. mask (B, T, 1)"""
    return bool((mask[:, 1:] > mask[:, :-1]).any())


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


def valid_steps(filled: Tensor, terminated: Tensor) -> Tensor:
    """The mask of steps to learn from: (B, T, 1) float, from T + 1 slots of an episode batch.

    PyMARL's mask (`filled` without the last slot, times "not terminated before") also counts the
    last slot of an episode that was cut short by something else than a terminal: a slot without a
    reward, whose successor is padding. Such a slot is no step; asking for a filled successor drops
    it and changes nothing for episodes that end with a terminal or at the batch's last slot.
    """
    mask = (filled[:, :-1] * filled[:, 1:]).float()  # (B, T, 1)
    mask[:, 1:] *= 1 - terminated[:, : mask.shape[1] - 1].float()
    return mask
