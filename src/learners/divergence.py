"""Whether learning has diverged.

This is asked when something is logged, tested or saved, and not at every step: each answer has to
wait for the device. What a step leaves behind until then is `Learner.largest_norm`.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence

from torch import Tensor
from torch.optim import Optimizer

from utils.errors import DivergedError

LOGGED = ("loss", "grad_norm")  # how the names of statistics end that must be finite


def require_finite_norm(norm: Tensor) -> None:
    """Raise `DivergedError` if the largest norm of a gradient so far is not finite."""
    if not bool(norm.isfinite()):
        raise DivergedError("The learner's gradients hold")


def require_finite(weights: Iterable[Tensor], optimisers: Iterable[Optimizer]) -> None:
    """Raise `DivergedError` if a weight or a running mean of an optimiser is not finite.

    Weights whose squares are infinite leave no finite loss either: the next step would show it, but
    they would have been saved by then.
    """
    for weight in weights:
        if not bool(weight.detach().square().sum().isfinite()):
            raise DivergedError("The learner's weights, or their squares, hold")
    for optimiser in optimisers:
        if not all(bool(tensor.isfinite().all()) for tensor in state_of(optimiser)):
            raise DivergedError("The state of the learner's optimiser holds")


def require_finite_losses(stats: Mapping[str, Sequence[tuple[int, float]]]) -> None:
    """Raise `DivergedError` if one of the last losses or norms that were logged is not finite.

    Learners of others may have nothing else that shows it.
    """
    for key, values in stats.items():
        if key.endswith(LOGGED) and not all(math.isfinite(value) for _, value in values):
            raise DivergedError(f"The last values of '{key}' hold")


def state_of(optimiser: Optimizer) -> Iterator[Tensor]:
    """Running means of gradients and the like."""
    for state in optimiser.state.values():
        yield from (part for part in state.values() if isinstance(part, Tensor))
