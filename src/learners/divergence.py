"""Whether a learner, ours or foreign, has diverged.

This is asked when something is logged, tested or saved, and not at every step: each answer has to
wait for the device. What a step leaves behind until then is `Learner.largest_norm`.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence

from torch import Tensor, nn
from torch.optim import Optimizer

from utils.errors import DivergedError

LOGGED = ("loss", "grad_norm")  # how the names of statistics end that must be finite


def require_sound(learner: object) -> None:
    """Raise `DivergedError` if a gradient or a weight of `learner` is not finite.

    Weights whose squares are infinite leave no finite loss either: the next step would show it, but
    they would have been saved by then.
    """
    norm = getattr(learner, "largest_norm", None)
    if isinstance(norm, Tensor) and not bool(norm.isfinite()):
        raise DivergedError("The learner's gradients hold")
    for part in distinct(parts_of(vars(learner))):
        if isinstance(part, Tensor):
            if not bool(part.detach().square().sum().isfinite()):
                raise DivergedError("The learner's weights, or their squares, hold")
        elif not all(bool(tensor.isfinite().all()) for tensor in state_of(part)):
            raise DivergedError("The state of the learner's optimiser holds")


def require_finite_losses(stats: Mapping[str, Sequence[tuple[int, float]]]) -> None:
    """Raise `DivergedError` if one of the last losses or norms that were logged is not finite.

    Learners of others may have nothing else that shows it.
    """
    for key, values in stats.items():
        if key.endswith(LOGGED) and not all(math.isfinite(value) for _, value in values):
            raise DivergedError(f"The last values of '{key}' hold")


def parts_of(value: object) -> Iterator[nn.Parameter | Optimizer]:
    """Parameters and optimisers, in networks, controllers and containers."""
    if isinstance(value, nn.Parameter | Optimizer):
        yield value
    elif isinstance(value, nn.Module):
        yield from value.parameters()
    elif isinstance(value, Mapping):
        for part in value.values():
            yield from parts_of(part)
    elif isinstance(value, list | tuple):
        for part in value:
            yield from parts_of(part)
    elif isinstance(getattr(value, "agent", None), nn.Module):
        yield from parts_of(value.agent)  # type: ignore[attr-defined]


def state_of(optimiser: Optimizer) -> Iterator[Tensor]:
    """Running means of gradients and the like."""
    for state in optimiser.state.values():
        yield from (part for part in state.values() if isinstance(part, Tensor))


def distinct(parts: Iterator[nn.Parameter | Optimizer]) -> list[nn.Parameter | Optimizer]:
    """Each one once, though learners hold many under several names."""
    return list({id(part): part for part in parts}.values())
