"""PyMARL2's name for the module of what its networks and learners import: sizes, weights."""

from __future__ import annotations

from collections.abc import Iterable

from torch import nn


def get_parameters_num(param_list: Iterable[nn.Parameter]) -> str:
    """How many numbers they hold, in thousands: "26.7K"."""
    return f"{sum(parameter.numel() for parameter in param_list) / 1000}K"


def orthogonal_init_(m: nn.Module, gain: float = 1.0) -> None:
    """Orthogonal weights and no bias in a linear layer; other layers stay as they are."""
    if isinstance(m, nn.Linear):
        nn.init.orthogonal_(m.weight, gain)
        nn.init.zeros_(m.bias)
