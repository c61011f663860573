"""Wide layers, multiplied by the library that is fastest on this processor."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable
from torch.nn import functional as F

# oneDNN translates a product anew for each number of rows, which takes as long as many products.
# So it gets round numbers alone, of which few are met, or layers that always see the same number.
ROUND = 64
WORTH_ROUNDING = 512  # rows; below, those that are added cost what they gain


@cache
def onednn_is_faster() -> bool:
    """On AMD's processors with AVX-512: twice as fast, for there MKL leaves half of each unused.

    Elsewhere torch's choice, which is MKL, stays.
    """
    cpu = Path("/proc/cpuinfo")
    return (
        torch.backends.mkldnn.is_available()
        and hasattr(torch.ops.mkldnn, "_linear_pointwise")
        and torch.backends.cpu.get_cpu_capability().startswith("AVX512")
        and cpu.exists()
        and "AuthenticAMD" in cpu.read_text()
    )


def rounded_up(rows: int) -> int:
    """The next round number of rows, of which there are 16 from any number to its double."""
    if rows < WORTH_ROUNDING or not onednn_is_faster():
        return rows
    unit = max(ROUND, 1 << (rows.bit_length() - 5))
    return -(-rows // unit) * unit


def suits_onednn(x: Tensor, of_one_size: bool = False) -> bool:
    """Whether rows x (rows, inputs) are to go through oneDNN."""
    rows = len(x)
    return (
        rows >= ROUND  # below, both libraries take as long
        and (of_one_size or rows % ROUND == 0)
        and x.dtype == torch.float32
        and x.device.type == "cpu"
        and onednn_is_faster()
    )


def linear(x: Tensor, weight: Tensor, bias: Tensor | None, of_one_size: bool = False) -> Tensor:
    """`F.linear`: x (..., inputs), weight (outputs, inputs) -> (..., outputs)"""
    rows = x.flatten(0, -2) if x.ndim > 1 else x
    if x.ndim == 1 or not suits_onednn(rows, of_one_size):
        return F.linear(x, weight, bias)
    made = _Product.apply(rows, weight, bias)
    # Of rows no view is made: what is done to one in place costs copies in the backward pass.
    return made if x.ndim == 2 else made.unflatten(0, x.shape[:-1])


def plus_linear(base: Tensor, x: Tensor, weight: Tensor) -> Tensor:
    """base (rows, outputs) + x W', for x (rows, inputs)"""
    if suits_onednn(x):
        return base + linear(x, weight, None)
    return torch.addmm(base, x, weight.t())


class Dense(nn.Linear):
    """`nn.Linear` by `linear`."""

    of_one_size = False  # whether it always sees the same number of rows, while it learns

    def forward(self, input: Tensor) -> Tensor:
        """(..., inputs) -> (..., outputs)"""
        return linear(input, self.weight, self.bias, self.of_one_size)


def dense(n_inputs: int, n_outputs: int, args: SimpleNamespace) -> Dense:
    """A layer for a learner with these settings; batches of transitions are all of one size."""
    layer = Dense(n_inputs, n_outputs)
    layer.of_one_size = getattr(args, "runner_scope", "") == "transition"  # PyMARL has no scopes
    return layer


class _Product(torch.autograd.Function):
    """x W' + b"""

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
        return (
            times(d_y, weight, True) if for_x else None,
            over_rows(d_y, x, True) if for_weight else None,
            d_y.sum(0) if for_bias else None,
        )


def by_onednn(a: Tensor, b: Tensor, bias: Tensor | None = None) -> Tensor:
    """a (n, k), b (m, k) -> a b' + bias (n, m)"""
    return torch.ops.mkldnn._linear_pointwise(whole(a), whole(b), bias, "none", [], "")


def whole(matrix: Tensor) -> Tensor:
    """Itself, or a copy of what is a part of another: there oneDNN takes 100 times as long."""
    is_whole = matrix.is_contiguous() or matrix.t().is_contiguous()
    return matrix if is_whole else matrix.contiguous()


def times(a: Tensor, b: Tensor, onednn: bool) -> Tensor:
    """a (rows, n), b (n, m) -> a b (rows, m)"""
    return by_onednn(a, b.t()) if onednn else a @ b


def over_rows(a: Tensor, b: Tensor, onednn: bool) -> Tensor:
    """a (rows, n), b (rows, m) -> a' b (n, m). oneDNN wants the smaller number first."""
    if not onednn:
        return a.t() @ b
    a, b = a.t(), b.t()
    return by_onednn(a, b) if len(a) <= len(b) else by_onednn(b, a).t()
