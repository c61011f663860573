"""Episodes as padded tensors."""

from __future__ import annotations

from collections.abc import Mapping
from types import SimpleNamespace
from typing import Any, overload

import torch
from torch import Tensor

from components.scheme import Groups, Scheme, field_dtype, field_shape, unknown
from components.transforms import Preprocess, complete_scheme, transformed
from components.writing import Index, Part, Values, assign, episode_index, slot_index
from utils.registry import UnknownNameError

EVERYTHING = slice(None)


class EpisodeBatch:
    """B episodes of up to T slots; every field a tensor (B, T, [group,] *vshape).

    An entry of the scheme says {"vshape": int or tuple, "dtype": torch dtype (float32),
    "group": name (optional), "episode_const": bool (optional)}; constants have no T axis.
    Sub-batches share memory with the batch they were taken from, except where episodes are
    chosen by a list.
    """

    def __init__(
        self,
        scheme: Scheme,
        groups: Groups,
        batch_size: int,
        max_seq_length: int,
        data: SimpleNamespace | None = None,
        preprocess: Preprocess | None = None,
        device: str | torch.device = "cpu",
    ) -> None:
        self.groups = groups
        self.batch_size = batch_size
        self.max_seq_length = max_seq_length
        self.preprocess = preprocess or {}
        self.device = device
        if data is not None:
            self.scheme, self.data = dict(scheme), data
            return
        self.scheme = {}
        self.data = SimpleNamespace(transition_data={}, episode_data={})
        self.extend(complete_scheme(scheme, self.preprocess))

    @property
    def nbytes(self) -> int:
        """The memory of all fields."""
        fields = (*self.data.transition_data.values(), *self.data.episode_data.values())
        return sum(field.nbytes for field in fields)

    def extend(self, scheme: Scheme, groups: Groups | None = None) -> None:
        """Add fields, filled with zeros."""
        self.groups = {**self.groups, **(groups or {})}
        for key, info in scheme.items():
            shape = field_shape(key, info, self.groups)
            constant = info.get("episode_const", False)
            lead = (self.batch_size,) if constant else (self.batch_size, self.max_seq_length)
            fields = self.data.episode_data if constant else self.data.transition_data
            fields[key] = torch.zeros(*lead, *shape, dtype=field_dtype(info), device=self.device)
            self.scheme[key] = info

    def to(self, device: str | torch.device) -> EpisodeBatch:
        """Move every field, in place; returns the batch itself."""
        for fields in (self.data.transition_data, self.data.episode_data):
            for key, tensor in fields.items():
                fields[key] = tensor.to(device)
        self.device = device
        return self

    def update(
        self,
        data: Mapping[str, Values],
        bs: Index = EVERYTHING,
        ts: slice | int = EVERYTHING,
        mark_filled: bool = True,
    ) -> None:
        """Write lists, arrays or tensors into episodes `bs` and slots `ts`.

        Axes of length 1 may be left out or added; all others must agree. Unless told otherwise,
        marks the slots as filled if any field with a time axis is written.
        """
        episodes, slots = episode_index(bs), slot_index(ts)
        transitions, constants = self.data.transition_data, self.data.episode_data
        for key, value in data.items():
            if key in transitions:
                if mark_filled:
                    transitions["filled"][episodes, slots] = 1
                    mark_filled = False
                self._write(key, transitions[key], (episodes, slots), value)
            elif key in constants:
                self._write(key, constants[key], (episodes,), value)
            else:
                raise UnknownNameError(unknown("field", key, self.scheme))

    def max_t_filled(self) -> int:
        """The number of filled slots of the longest episode."""
        return int(self["filled"].sum(1).max())

    @overload
    def __getitem__(self, item: str) -> Tensor: ...

    @overload
    def __getitem__(
        self, item: tuple[str, ...] | Index | tuple[Index, slice | int]
    ) -> EpisodeBatch: ...

    def __getitem__(self, item: Any) -> Tensor | EpisodeBatch:
        """`batch["obs"]` is a tensor; `batch["obs", "state"]`, `batch[bs]`, `batch[bs, ts]` are
        sub-batches, where an int counts as a slice of length 1."""
        if isinstance(item, str):
            return self._field(item)
        if isinstance(item, tuple) and item and all(isinstance(key, str) for key in item):
            return self._with_fields(item)
        episodes, slots = item if isinstance(item, tuple) else (item, EVERYTHING)
        return self._part(episode_index(episodes), slot_index(slots))

    def __repr__(self) -> str:
        return (
            f"EpisodeBatch({self.batch_size} episodes, {self.max_seq_length} slots, "
            f"fields: {', '.join(self.scheme)})"
        )

    def _field(self, key: str) -> Tensor:
        if key in self.data.transition_data:
            return self.data.transition_data[key]
        if key in self.data.episode_data:
            return self.data.episode_data[key]
        raise UnknownNameError(unknown("field", key, self.scheme))

    def _with_fields(self, keys: tuple[str, ...]) -> EpisodeBatch:
        data = SimpleNamespace(transition_data={}, episode_data={})
        for key in keys:
            constant = key in self.data.episode_data
            fields = data.episode_data if constant else data.transition_data
            fields[key] = self._field(key)
        return self._like({key: self.scheme[key] for key in keys}, data, self.max_seq_length)

    def _part(self, episodes: Part, slots: slice) -> EpisodeBatch:
        data = SimpleNamespace(
            transition_data={k: v[episodes, slots] for k, v in self.data.transition_data.items()},
            episode_data={k: v[episodes] for k, v in self.data.episode_data.items()},
        )
        return self._like(self.scheme, data, len(range(*slots.indices(self.max_seq_length))))

    def _like(self, scheme: Scheme, data: SimpleNamespace, slots: int) -> EpisodeBatch:
        fields = data.transition_data or data.episode_data
        n_episodes = len(next(iter(fields.values())))
        preprocess = {
            source: step
            for source, step in self.preprocess.items()
            if source in scheme and step[0] in scheme
        }
        return EpisodeBatch(scheme, self.groups, n_episodes, slots, data, preprocess, self.device)

    def _write(self, key: str, target: Tensor, index: tuple[Part, ...], value: Values) -> None:
        assign(key, target, index, value)
        if key in self.preprocess:
            output, transforms = self.preprocess[key]
            derived = transformed(transforms, target[index])
            assign(output, self._field(output), index, derived)
