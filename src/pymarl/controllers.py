"""Our controllers, and what a run makes of the name under `mac:`."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from controllers.basic_controller import BasicMAC
from controllers.contract import MAC
from policies.independent import IndependentPolicy


def takes_parts(kind: type) -> bool:
    """Whether controllers of this class can act where no whole episode is kept."""
    if issubclass(kind, IndependentPolicy):
        return True
    return issubclass(kind, BasicMAC) and not kind.replaced()


def noise_size(kind: Any, args: SimpleNamespace) -> int:
    """Random numbers that the policies of this class keep with every slot, for each agent."""
    policy = kind if isinstance(kind, type) and issubclass(kind, IndependentPolicy) else None
    return 0 if policy is None else policy.noise_size(args)


def in_words(mac: Any) -> str | None:
    """What the head of a run should know of a policy."""
    return mac.policy.in_words() if isinstance(mac, BasicMAC) else None


def mac_of(made: Any) -> MAC:
    """A controller for what `mac:` named: itself, or the face of a policy."""
    return BasicMAC.of(made) if isinstance(made, IndependentPolicy) else made
