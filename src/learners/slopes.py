"""Values of actions with their gradient known: a critic is passed back once, not at each level."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable


def by_agent(value_of: Callable[[Tensor], Tensor], actions: Tensor) -> Tensor:
    """What `value_of` says of `actions` (B, T, N, A), with the slopes of each agent's own action.

    `value_of` gives each agent a value that depends on its action alone (B, T, N), or all of them
    that of the joint action (B, T, 1): one gradient of the sum has all slopes. -> (B, T, N)
    """
    shape = actions.shape[:-1]
    if not actions.requires_grad:
        return value_of(actions).expand(shape)
    constant = actions.detach().requires_grad_()
    values = value_of(constant)
    (slopes,) = torch.autograd.grad(values.sum(), constant)
    return _Along.apply(actions, values.detach().expand(shape), slopes)


class _Along(torch.autograd.Function):
    """`values` (...) of `actions` (..., A), along which they have these `slopes` (..., A)."""

    @staticmethod
    def forward(ctx: Any, actions: Tensor, values: Tensor, slopes: Tensor) -> Tensor:
        ctx.save_for_backward(slopes)
        return values

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, d_values: Tensor) -> tuple[Tensor, None, None]:
        (slopes,) = ctx.saved_tensors
        return slopes * d_values.unsqueeze(-1), None, None
