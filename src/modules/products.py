"""Products of whole layers, by one of two libraries, which multiply at different speeds.

Which is faster depends on the processor, and is measured (`modules.timing`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable
from torch.nn import functional as F


@dataclass(frozen=True)
class Products:
    """By the library that torch itself calls, which is MKL on most processors."""

    name: ClassVar[str] = "blas"

    def rounded_up(self, rows: int) -> int:
        """The number of rows, from this one on, that is multiplied fastest."""
        return rows

    def linear(self, x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        """`F.linear`: x (..., inputs), weight (outputs, inputs) -> (..., outputs)"""
        return F.linear(x, weight, bias)

    def plus_linear(self, base: Tensor, x: Tensor, weight: Tensor) -> Tensor:
        """base (rows, outputs) + x W', for x (rows, inputs)"""
        return torch.addmm(base, x, weight.t())

    # Without gradients

    def fill(self, out: Tensor, x: Tensor, weight: Tensor, bias: Tensor) -> None:
        """x W' + b into `out` (rows, outputs), which may be columns of a wider matrix."""
        torch.addmm(bias, x, weight.t(), out=out)

    def times(self, a: Tensor, b: Tensor) -> Tensor:
        """a (rows, n), b (n, m) -> a b (rows, m)"""
        return a @ b

    def over_rows(self, a: Tensor, b: Tensor) -> Tensor:
        """a (rows, n), b (rows, m) -> a' b (n, m)"""
        return a.t() @ b


@dataclass(frozen=True)
class OneDNNProducts(Products):
    """By oneDNN, which comes with torch too.

    It translates a product anew for each number of rows, which takes as long as many products. So
    it gets round numbers alone, of which few are met, or any if the run always has the same number.
    """

    name: ClassVar[str] = "onednn"
    ROUND: ClassVar[int] = 64  # rows; with fewer, both libraries take as long
    WORTH_ROUNDING: ClassVar[int] = 512  # rows; below, those that are added cost what they gain

    of_one_size: bool = False

    @classmethod
    def there(cls) -> bool:
        """Whether this torch was built with it."""
        return torch.backends.mkldnn.is_available() and hasattr(
            torch.ops.mkldnn, "_linear_pointwise"
        )

    def suits(self, x: Tensor) -> bool:
        """Whether rows x (rows, inputs) are to go through oneDNN."""
        rows = len(x)
        return (
            rows >= self.ROUND
            and (self.of_one_size or rows % self.ROUND == 0)
            and x.dtype == torch.float32
            and x.device.type == "cpu"
        )

    def rounded_up(self, rows: int) -> int:
        """A round number, of which there are 16 from any number to its double."""
        if rows < self.WORTH_ROUNDING:
            return rows
        unit = max(self.ROUND, 1 << (rows.bit_length() - 5))
        return -(-rows // unit) * unit

    def linear(self, x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        rows = x.flatten(0, -2) if x.ndim > 1 else x
        if x.ndim == 1 or not self.suits(rows):
            return super().linear(x, weight, bias)
        made: Tensor = _Product.apply(rows, weight, bias)
        # Of rows no view is made: what is done to one in place costs copies in the backward pass.
        return made if x.ndim == 2 else made.unflatten(0, x.shape[:-1])

    def plus_linear(self, base: Tensor, x: Tensor, weight: Tensor) -> Tensor:
        if self.suits(x):
            return base + self.linear(x, weight, None)
        return super().plus_linear(base, x, weight)

    def fill(self, out: Tensor, x: Tensor, weight: Tensor, bias: Tensor) -> None:
        if self.suits(x):
            out.copy_(by_onednn(x, weight, bias))
        else:
            super().fill(out, x, weight, bias)

    def times(self, a: Tensor, b: Tensor) -> Tensor:
        return by_onednn(a, b.t()) if self.suits(a) else super().times(a, b)

    def over_rows(self, a: Tensor, b: Tensor) -> Tensor:
        if not self.suits(a):
            return super().over_rows(a, b)
        a, b = a.t(), b.t()
        return by_onednn(a, b) if len(a) <= len(b) else by_onednn(b, a).t()  # smaller one first


class _Product(torch.autograd.Function):
    """x W' + b by oneDNN"""

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        """x (rows, inputs), weight (outputs, inputs) -> (rows, outputs)"""
        ctx.save_for_backward(x, weight)
        return by_onednn(x, weight, bias)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, d_y: Tensor) -> tuple[Tensor | None, ...]:
        x, weight = ctx.saved_tensors
        for_x, for_weight, for_bias = ctx.needs_input_grad
        products = OneDNNProducts(of_one_size=True)  # the forward pass has found that they suit
        return (
            products.times(d_y, weight) if for_x else None,
            products.over_rows(d_y, x) if for_weight else None,
            d_y.sum(0) if for_bias else None,
        )


def by_onednn(a: Tensor, b: Tensor, bias: Tensor | None = None) -> Tensor:
    """a (n, k), b (m, k) -> a b' + bias (n, m)"""
    return torch.ops.mkldnn._linear_pointwise(whole(a), whole(b), bias, "none", [], "")


def whole(matrix: Tensor) -> Tensor:
    """Itself, or a copy of what is a part of another: there oneDNN takes 100 times as long."""
    is_whole = matrix.is_contiguous() or matrix.t().is_contiguous()
    return matrix if is_whole else matrix.contiguous()
