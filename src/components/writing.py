"""Writing values of any kind into a part of a field."""

from __future__ import annotations

import operator
from collections.abc import Sequence
from typing import SupportsIndex, TypeAlias, TypeVar

import numpy as np
import torch
from torch import Tensor

from components.replay.codecs import STAND_INS
from utils.errors import UserError

Values: TypeAlias = "Tensor | np.ndarray | float | Sequence[Values]"
Given = TypeVar("Given", np.ndarray, Tensor)
Index = slice | int | list[int] | np.ndarray | Tensor  # of episodes
Part = slice | list[int] | np.ndarray  # an index that torch and numpy take in the same way


class ShapeError(UserError, ValueError):
    """Data that does not fit the field it was given for."""


def slot_index(index: slice | SupportsIndex) -> slice:
    if isinstance(index, slice):
        return index
    try:
        at = operator.index(index)
    except TypeError as error:
        raise UserError(
            "Slots are chosen by a number or a slice (and episodes also by a list of numbers), "
            f"not by {type(index).__name__} {index}."
        ) from error
    return slice(at, at + 1 or None)


def episode_index(index: Index) -> Part:
    if isinstance(index, slice | list):
        return index
    if isinstance(index, Tensor) and index.ndim:
        return index.tolist()
    if isinstance(index, np.ndarray) and index.ndim:
        return np.flatnonzero(index) if index.dtype == bool else index
    return slot_index(index)


def _selected_shape(target: Tensor, index: tuple[Part, ...]) -> tuple[int, ...]:
    """The shape of target[index] without making a copy of it."""
    shape = target.shape
    lead = [
        len(range(*part.indices(size))) if isinstance(part, slice) else len(part)
        for part, size in zip(index, shape, strict=False)
    ]
    return (*lead, *shape[len(lead) :])


def assign(key: str, target: Tensor, index: tuple[Part, ...], value: Values) -> None:
    """target[index] = value, in the target's dtype.

    On the CPU through numpy, which takes half of torch's time for the few rows of one step.
    """
    wanted = _selected_shape(target, index)
    if target.is_cpu and target.dtype not in STAND_INS:
        target.numpy()[index] = _fitted(key, _to_numpy(key, value), wanted)
        return
    tensor = value if isinstance(value, Tensor) else torch.from_numpy(_to_numpy(key, value))
    target[index] = _fitted(key, tensor, wanted).to(target.device, target.dtype)


def _to_numpy(key: str, value: Values) -> np.ndarray:
    if isinstance(value, Tensor):
        return value.detach().cpu().numpy()
    try:
        return np.asarray(value)
    except ValueError as error:
        raise ShapeError(f"'{key}' was given as a list whose parts differ in shape.") from error


def _fitted(key: str, value: Given, wanted: tuple[int, ...]) -> Given:
    given = tuple(value.shape)
    if given == wanted:
        return value
    if [size for size in given if size != 1] == [size for size in wanted if size != 1]:
        return value.reshape(wanted)
    raise ShapeError(
        f"'{key}' was given with shape {given}, but this part of the batch has shape {wanted} "
        "(episodes, slots, then the field's own axes)."
    )
