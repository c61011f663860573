"""Widths of network inputs, from the sizes of the task."""

from __future__ import annotations

import math
from types import SimpleNamespace

from components.scheme import Scheme, VShape


def flat_size(vshape: VShape) -> int:
    """The number of entries of a field of this shape."""
    return vshape if isinstance(vshape, int) else math.prod(vshape)


def action_size(scheme: Scheme, args: SimpleNamespace) -> int:
    """The width of one agent's action: of its one-hot, or of the continuous action."""
    if "actions_onehot" in scheme:
        return flat_size(scheme["actions_onehot"]["vshape"])
    return int(args.n_actions)
