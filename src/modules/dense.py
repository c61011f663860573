"""Wide layers, multiplied by the library that is fastest on this processor."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

FEWEST_ROWS = 64  # below, both libraries take as long


def dense(n_inputs: int, n_outputs: int, args: SimpleNamespace) -> nn.Linear:
    """A layer for a learner with these settings.

    oneDNN translates a product anew for each number of rows, which takes as long as the product. So
    it is for learning from transitions, where batches are always of one size; episodes differ.
    """
    of_one_size = getattr(args, "runner_scope", "") == "transition"  # PyMARL's trees have none
    layer = OneDNNLinear if of_one_size and onednn_is_faster() else nn.Linear
    return layer(n_inputs, n_outputs)


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


class OneDNNLinear(nn.Linear):
    """`nn.Linear`, and itself where oneDNN has nothing to offer."""

    def forward(self, input: Tensor) -> Tensor:
        """(..., inputs) -> (..., outputs)"""
        rows = input.flatten(0, -2)
        suits = rows.device.type == "cpu" and rows.dtype == torch.float32
        if not suits or len(rows) < FEWEST_ROWS:
            return super().forward(input)
        return _Product.apply(rows, self.weight, self.bias).unflatten(0, input.shape[:-1])


class _Product(torch.autograd.Function):
    """x W' + b"""

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
        """x (rows, inputs), weight (outputs, inputs) -> (rows, outputs)"""
        ctx.save_for_backward(x, weight)
        return product(x, weight, bias)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, d_y: Tensor) -> tuple[Tensor | None, ...]:
        x, weight = ctx.saved_tensors
        for_x, for_weight, for_bias = ctx.needs_input_grad
        return (
            product(d_y, weight.t()) if for_x else None,
            product(d_y.t(), x.t()) if for_weight else None,
            d_y.sum(0) if for_bias else None,
        )


def product(a: Tensor, b: Tensor, bias: Tensor | None = None) -> Tensor:
    """a (n, k), b (m, k) -> a b' + bias (n, m)"""
    return torch.ops.mkldnn._linear_pointwise(a, b, bias, "none", [], "")
