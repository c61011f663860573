"""Optimisers by the key `optimizer`, with PyMARL's settings."""

from __future__ import annotations

from collections.abc import Iterable
from types import SimpleNamespace
from typing import Any

from torch import nn
from torch.optim import Adam, Optimizer, RMSprop


def build_optimiser(
    name: str, params: Iterable[nn.Parameter], lr: float, args: SimpleNamespace
) -> Optimizer:
    """`optimizer: rmsprop | adam`; the other settings come from `args`."""
    return OPTIMISERS[name](params, lr, args)


def _rmsprop(params: Any, lr: float, args: SimpleNamespace) -> Optimizer:
    return RMSprop(
        params,
        lr=lr,
        alpha=args.optim_alpha,
        eps=args.optim_eps,
        weight_decay=args.weight_decay,
    )


def _adam(params: Any, lr: float, args: SimpleNamespace) -> Optimizer:
    return Adam(params, lr=lr, eps=args.optimizer_epsilon, weight_decay=args.weight_decay)


OPTIMISERS = {"rmsprop": _rmsprop, "adam": _adam}
