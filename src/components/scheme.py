"""The scheme of a batch: which fields there are, of what shape and dtype."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import torch

from utils.errors import did_you_mean
from utils.registry import UnknownNameError

VShape = int | tuple[int, ...]  # of one slot of one agent, or of the team
# "vshape"; perhaps "dtype" (float32), "group" (a name) and "episode_const" (a bool).
FieldInfo = dict[str, Any]
Scheme = dict[str, FieldInfo]  # by the names of the fields
Groups = Mapping[str, int]


def field_shape(key: str, info: FieldInfo, groups: Groups) -> tuple[int, ...]:
    """The axes of a field after (B, T)."""
    vshape = info["vshape"]
    shape = (vshape,) if isinstance(vshape, int | np.integer) else tuple(vshape)
    group = info.get("group")
    if group is None:
        return shape
    if group not in groups:
        raise UnknownNameError(unknown(f"group of field '{key}':", group, groups))
    return (groups[group], *shape)


def field_dtype(info: FieldInfo) -> torch.dtype:
    return info.get("dtype", torch.float32)


def unknown(kind: str, name: str, known: Iterable[str]) -> str:
    return f"Unknown {kind} '{name}'.{did_you_mean(name, known)} Known: {', '.join(known)}."
