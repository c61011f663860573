"""Whether a learner, ours or foreign, has diverged.

This is asked when something is logged, tested or saved, and not at every step: each answer has to
wait for the device. What a step leaves behind until then is `Learner.largest_norm`.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from utils.errors import DivergedError

LOGGED = ("loss", "grad_norm")  # how the names of statistics end that must be finite


def require_sound(learner: object) -> None:
    """Raise `DivergedError` if a gradient or a weight of `learner` is not finite."""
    norm = getattr(learner, "largest_norm", None)
    if isinstance(norm, Tensor) and not bool(norm.isfinite()):
        raise DivergedError("The learner's gradients hold")
    if not all(bool(tensor.isfinite().all()) for tensor in distinct(weights_of(vars(learner)))):
        raise DivergedError("The learner's weights or its optimiser's state hold")


def require_finite_losses(stats: Mapping[str, Sequence[tuple[int, float]]]) -> None:
    """Raise `DivergedError` if one of the last losses or norms that were logged is not finite.

    Learners of others may have nothing else that shows it.
    """
    for key, values in stats.items():
        if key.endswith(LOGGED) and not all(math.isfinite(value) for _, value in values):
            raise DivergedError(f"The last values of '{key}' hold")


def weights_of(value: object) -> Iterator[Tensor]:
    """Parameters of networks and state of optimisers, in containers and controllers too."""
    if isinstance(value, nn.Parameter):
        yield value
    elif isinstance(value, nn.Module):
        yield from value.parameters()
    elif isinstance(value, Optimizer):
        yield from weights_in_state(value)
    elif isinstance(value, Mapping):
        for part in value.values():
            yield from weights_of(part)
    elif isinstance(value, list | tuple):
        for part in value:
            yield from weights_of(part)
    elif isinstance(getattr(value, "agent", None), nn.Module):
        yield from weights_of(value.agent)  # type: ignore[attr-defined]


def weights_in_state(optimiser: Optimizer) -> Iterator[Tensor]:
    """Running means of gradients and the like."""
    for state in optimiser.state.values():
        yield from (part for part in state.values() if isinstance(part, Tensor))


def distinct(tensors: Iterator[Tensor]) -> list[Tensor]:
    """Each one once, though learners hold many under several names."""
    return list({id(tensor): tensor for tensor in tensors}.values())


def larger(norm: Tensor, other: Tensor) -> Tensor:
    """The larger of two norms, or NaN if one is NaN; stays on the device of `other`."""
    other = other.detach()
    return torch.maximum(norm.to(other), other)
