"""Mixers that know only PyMARL's call `mixer(qs, states)`, and FACMAC's critics that want rows."""

from __future__ import annotations

import copy
import inspect
from types import SimpleNamespace
from typing import cast

from torch import Tensor, nn

from learners.objective import joint_of
from modules.contract import Mixer, Mixing, Utilities, UtilityCritic
from modules.mixers import REGISTRY as MIXERS
from pymarl.overrides import speaks_for


class ForeignMixer:
    """States are repeated where several joint values are asked for; results are laid straight."""

    def __init__(self, mixer: nn.Module) -> None:
        self._mixer = mixer

    def __call__(self, qs: Tensor, states: Tensor) -> Tensor:
        return self._mixer(qs, states).reshape(*qs.shape[:2], 1)

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


class ForeignCritic:
    """FACMAC's: rows of observations and actions, and a hidden state that is handed through."""

    def __init__(self, critic: nn.Module) -> None:
        self._critic = critic

    def __call__(self, obs: Tensor, actions: Tensor) -> tuple[Tensor, None]:
        return self.at(obs)(actions).unsqueeze(-1), None

    def at(self, obs: Tensor) -> Utilities:
        def utilities(actions: Tensor) -> Tensor:
            rows = obs.flatten(0, 2), actions.flatten(0, 2)
            return self._critic(*rows)[0].reshape(actions.shape[:3])

        return utilities


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


def critic_of(critic: nn.Module) -> UtilityCritic:
    """Itself if it can be prepared at observations."""
    if speaks_for(type(critic), "at", "forward"):
        return cast("UtilityCritic", critic)
    return ForeignCritic(critic)
