"""The steps of a batch that count, laid end to end: padding costs nothing where no memory runs."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor


class Steps:
    """Picks valid steps out of (B, T, ...) as (1, n, ...): one long episode without padding.

    On a GPU everything stays in place, to be masked: to count the steps it would have to wait.
    """

    def __init__(self, mask: Tensor, keep_padding: bool = False) -> None:
        """mask (B, T, 1) is 1 where a step counts; with `keep_padding` all do."""
        self._shape = mask.shape[:2]
        padded = not keep_padding and not mask.is_cuda and not bool(mask.all())
        self._places = mask.flatten().nonzero().squeeze(1) if padded else None
        self.mask = torch.ones_like(mask) if keep_padding else self.take(mask)  # (1, n, 1)

    def take(self, values: Tensor) -> Tensor:
        """(B, T, ...) -> (1, n, ...)"""
        if self._places is None:
            return values
        return values.flatten(0, 1).index_select(0, self._places).unsqueeze(0)

    def put(self, values: Tensor) -> Tensor:
        """The inverse, with zeros for padding. (1, n, ...) -> (B, T, ...)"""
        if self._places is None:
            return values
        B, T = self._shape
        whole = values.new_zeros(B * T, *values.shape[2:])
        return whole.index_copy(0, self._places, values.squeeze(0)).unflatten(0, (B, T))

    def mean(self, values: Tensor) -> Tensor:
        """The mean over steps of the sum over the last dimension. (1, n, X) -> ()"""
        return (values * self.mask).sum() / self.mask.sum()


class Situation(NamedTuple):
    """What a critic sees at some steps."""

    obs: Tensor  # (1, n, N, O)
    state: Tensor  # (1, n, S)
