"""Optimisers by the key `optimizer`, with PyMARL's settings."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from types import SimpleNamespace

import torch
from torch import Tensor, nn
from torch.optim import Adam, Optimizer, RMSprop


def build_optimiser(
    name: str, params: Iterable[nn.Parameter], lr: float, args: SimpleNamespace
) -> Optimizer:
    """`optimizer: rmsprop | adam`; the other settings come from `args`."""
    return OPTIMISERS[name](params, lr, args)


Gradients = Sequence[Tensor | None]  # None: the loss does not depend on this parameter


def take_step(
    optimiser: Optimizer, params: Sequence[nn.Parameter], gradients: Gradients, clip: float
) -> Tensor:
    """One step with gradients shortened to the norm `clip`; returns their norm before."""
    for param, gradient in zip(params, gradients, strict=True):
        # Backward passes leave some gradients transposed in memory; fused Adam would misread those.
        param.grad = None if gradient is None else gradient.contiguous()
    norm = nn.utils.clip_grad_norm_(params, clip)
    optimiser.step()
    return norm


def flatten(tensors: Iterable[Tensor]) -> Tensor:
    """All their numbers in one vector, a constant."""
    return torch.cat([tensor.detach().reshape(-1) for tensor in tensors])


def _rmsprop(params: Iterable[nn.Parameter], lr: float, args: SimpleNamespace) -> Optimizer:
    return RMSprop(
        params,
        lr=lr,
        alpha=args.optim_alpha,
        eps=args.optim_eps,
        weight_decay=args.weight_decay,
        foreach=True,
    )


def _adam(params: Iterable[nn.Parameter], lr: float, args: SimpleNamespace) -> Optimizer:
    return Adam(
        params,
        lr=lr,
        eps=args.optimizer_epsilon,
        weight_decay=args.weight_decay,
        fused=True,
    )


OPTIMISERS = {"rmsprop": _rmsprop, "adam": _adam}
