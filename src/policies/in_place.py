"""Slots of rows, and views of rows that stay as they are, padding included."""

from __future__ import annotations

from functools import partial

from torch import Tensor

from components.minibatch import Index, Steps, View, Views


def in_place(whole: View, steps: Steps) -> Views:
    """The views of whole rows, for networks that cannot take them end to end."""
    now, next = steps.take, partial(steps.take, first=1)
    return Views(whole._replace(asked=now), whole._replace(asked=next), whole)


def at_slots(values: Tensor, slots: Index | None) -> Tensor:
    """(R, L, ...) -> those slots of it; None is all"""
    if slots is None:
        return values
    if callable(slots):
        picked: Tensor = slots(values)
        return picked
    return values[:, slots] if isinstance(slots, slice) else values.index_select(1, slots)
