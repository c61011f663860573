"""Our controllers, and what a run makes of the name under `mac:`."""

from __future__ import annotations

from typing import Any

from controllers.basic_controller import BasicMAC
from policies.independent import IndependentPolicy


def takes_parts(kind: type) -> bool:
    """Whether controllers of this class can act where no whole episode is kept."""
    if issubclass(kind, IndependentPolicy):
        return True
    return issubclass(kind, BasicMAC) and not kind.replaced()


def mac_of(made: Any) -> Any:
    """A controller for what `mac:` named: itself, or the face of a policy."""
    return BasicMAC.of(made) if isinstance(made, IndependentPolicy) else made
