"""The state of objects that do not say what they keep: whatever is found among their attributes."""

from __future__ import annotations

import numbers
import types
from collections import deque
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn
from torch.optim import Optimizer

NOT_STATE = ("args", "logger", "scheme")  # belong to the run, or say how it was set up
FIXED = (
    *(type, types.FunctionType, types.BuiltinFunctionType, types.MethodType, types.ModuleType),
    *(torch.device, torch.dtype, torch.Size),
)  # kinds of values that no training changes
KEYS = str | int | float | bool | tuple  # of dicts that can be kept

Packed = tuple[str, Any] | None  # (kind, content); None: nothing is kept of it


class Snapshot(NamedTuple):
    """What could be kept of an object's attributes, and the names of what could not."""

    state: dict[str, Packed]
    lost: list[str]


def snapshot(owner: object) -> Snapshot:
    """Networks, optimisers, numbers, tensors, arrays, and containers and plain objects of them."""
    return _Packing(owner).snapshot()


def restore(owner: object, state: dict[str, Packed]) -> None:
    """Put the state of a snapshot back; networks, optimisers and parameters in place."""
    for name, packed in state.items():
        setattr(owner, name, _unpack(packed, getattr(owner, name, None)))


class _Packing:
    """One pass through an object."""

    def __init__(self, owner: object) -> None:
        self._owner = owner
        self._lost: list[str] = []
        self._inside: list[object] = [owner]  # objects that are being packed
        networks = (part for part in parts_of(vars(owner)) if isinstance(part, nn.Module))
        self._in_networks = {id(param) for network in networks for param in network.parameters()}

    def snapshot(self) -> Snapshot:
        return Snapshot(self._fields(self._owner, ""), self._lost)

    def _fields(self, owner: object, path: str) -> dict[str, Packed]:
        named = {name: value for name, value in vars(owner).items() if name not in NOT_STATE}
        packed = {name: self._pack(value, f"{path}{name}") for name, value in named.items()}
        return {name: each for name, each in packed.items() if each is not None}

    def _pack(self, value: Any, path: str) -> Packed:
        if isinstance(value, Tensor) and id(value) in self._in_networks:
            return None  # its network keeps it
        if isinstance(value, FIXED) or any(value is each for each in self._inside):
            return None
        packed = _pack_whole(value) or self._pack_parts(value, path)
        if packed is None:
            self._lost.append(path)
        return packed

    def _pack_parts(self, value: Any, path: str) -> Packed:
        """Of containers and plain objects, what is in them."""
        if isinstance(value, list | tuple | deque):
            return "list", [self._pack(item, f"{path}[{i}]") for i, item in enumerate(value)]
        if isinstance(value, dict):
            self._lost += [f"{path}[{key!r}]" for key in value if not isinstance(key, KEYS)]
            known = {key: item for key, item in value.items() if isinstance(key, KEYS)}
            return "dict", {k: self._pack(item, f"{path}[{k!r}]") for k, item in known.items()}
        if type(value).__module__ != "builtins" and getattr(value, "__dict__", None):
            return self._pack_object(value, path)
        return None

    def _pack_object(self, value: object, path: str) -> Packed:
        """Running statistics and such. Half of an object is worse than none of it."""
        already = len(self._lost)
        self._inside.append(value)
        fields = self._fields(value, f"{path}.")
        self._inside.pop()
        whole = len(self._lost) == already
        del self._lost[already:]
        return ("object", fields) if whole else None


def _pack_whole(value: Any) -> Packed:
    """What is kept as it is, or keeps its own state."""
    if hasattr(value, "state_dict") and hasattr(value, "load_state_dict"):
        return "stateful", value.state_dict()
    if isinstance(getattr(value, "agent", None), nn.Module):
        return "controller", value.agent.state_dict()
    if isinstance(value, Tensor) and value.is_leaf and value.requires_grad:
        return "parameter", value.detach()
    if isinstance(value, Tensor):
        return "value", value.detach()
    if value is None or isinstance(value, bool | str):
        return "value", value
    if isinstance(value, numbers.Number):
        return "value", value.item() if isinstance(value, np.generic) else value
    if isinstance(value, np.ndarray) and value.dtype.kind in "biuf":
        return "array", torch.from_numpy(value.copy())
    if isinstance(value, set | frozenset) and all(isinstance(item, KEYS) for item in value):
        return "set", list(value)
    return None


def _unpack(packed: Packed, present: Any) -> Any:
    """What the attribute must be now; `present` is what it is in the new process."""
    if packed is None:
        return present
    kind, content = packed
    if kind == "array":
        return content.numpy()
    if kind == "set":
        return frozenset(content) if isinstance(present, frozenset) else set(content)
    if kind == "list":
        return _unpack_list(content, present)
    if kind == "dict":
        old = present if isinstance(present, dict) else {}
        return {**old, **{key: _unpack(item, old.get(key)) for key, item in content.items()}}
    if kind == "value":
        return content.to(present.device) if isinstance(present, Tensor) else content
    _put_into(present, kind, content)
    return present


def _put_into(present: Any, kind: str, content: Any) -> None:
    """Change in place what others may hold as well."""
    if kind == "stateful":
        present.load_state_dict(content)
    elif kind == "controller":
        present.agent.load_state_dict(content)
    elif kind == "parameter":
        present.data.copy_(content)
    else:
        restore(present, content)


def _unpack_list(content: list[Packed], present: Any) -> Any:
    """A list may have grown since it was made: what it held then is restored in place."""
    old = list(present or []) + [None] * len(content)
    items = [_unpack(item, before) for item, before in zip(content, old, strict=False)]
    if isinstance(present, deque):
        return deque(items, maxlen=present.maxlen)
    if isinstance(present, tuple) and hasattr(present, "_fields"):
        return type(present)(*items)
    return tuple(items) if isinstance(present, tuple) else items


def parts_of(value: object) -> Iterator[nn.Module | nn.Parameter | Optimizer]:
    """Networks, parameters and optimisers, in controllers and containers."""
    if isinstance(value, nn.Module | nn.Parameter | Optimizer):
        yield value
    elif isinstance(value, Mapping):
        for part in value.values():
            yield from parts_of(part)
    elif isinstance(value, list | tuple):
        for part in value:
            yield from parts_of(part)
    elif isinstance(getattr(value, "agent", None), nn.Module):
        yield from parts_of(value.agent)  # type: ignore[attr-defined]
