"""Mixers that know only PyMARL's call `mixer(qs, states)`."""

from __future__ import annotations

import copy
import inspect
from types import SimpleNamespace
from typing import cast

from torch import Tensor, nn

from learners.objective import joint_of
from modules.contract import Mixer, Mixing
from modules.mixers import REGISTRY as MIXERS
from pymarl.acting import described
from pymarl.overrides import speaks_for
from utils.errors import UserError


class ForeignMixer:
    """States are repeated where several joint values are asked for; results are laid straight."""

    def __init__(self, mixer: nn.Module) -> None:
        self._mixer = mixer

    def __call__(self, qs: Tensor, states: Tensor) -> Tensor:
        B, T, N = qs.shape
        joint = self._mixer(qs, states)
        if tuple(joint.shape) not in ((B, T, 1), (B, T), (B * T, 1), (B * T, 1, 1)):
            raise UserError(
                f"The mixer {type(self._mixer).__name__} gave {described(joint)} for the values "
                f"({B}, {T}, {N}) of episodes, steps and agents. Mixers give one joint value a "
                f"step, ({B}, {T}, 1). FACMAC's VDNMixer adds over another dimension: leave it "
                "out, and mixer=vdn is our sum."
            )
        return joint.reshape(B, T, 1)

    def at(self, states: Tensor) -> Mixing:
        return RepeatedStates(self, states)


class RepeatedStates:
    def __init__(self, mixer: ForeignMixer, states: Tensor) -> None:
        self._mixer, self._states = mixer, states  # (B, T, S)

    def __call__(self, qs: Tensor) -> Tensor:
        return self._mixer(qs, self._states)

    def one_by_one(self, own: Tensor, others: Tensor) -> Tensor:
        B, T, N = own.shape
        joint = joint_of(own, others).reshape(B, T * N, N)
        return self._mixer(joint, self._states.repeat_interleave(N, dim=1)).reshape(B, T, N)


def build_mixer(args: SimpleNamespace) -> nn.Module | None:
    """The mixer of `args.mixer`, or None."""
    if args.mixer is None:
        return None
    mixer_class = MIXERS[args.mixer]
    takes_args = bool(inspect.signature(mixer_class).parameters)  # PyMARL's VDN takes none
    return mixer_class(args) if takes_args else mixer_class()


def without_mixer(args: SimpleNamespace) -> SimpleNamespace:
    """The settings of a learner that mixes nothing, whatever its settings file says."""
    changed = copy.copy(args)
    changed.mixer = None
    return changed


def mixer_of(mixer: nn.Module | None) -> Mixer | None:
    """Itself if it can be prepared at states; None if there is none."""
    if mixer is None or speaks_for(type(mixer), "at", "forward"):
        return cast("Mixer | None", mixer)
    return ForeignMixer(mixer)
