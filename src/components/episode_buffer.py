"""Episodes as padded tensors (EpisodeBatch), and many of them stored compactly (ReplayBuffer)."""

from __future__ import annotations

import operator
from collections.abc import Iterable, Mapping, Sequence
from types import SimpleNamespace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from components.replay.codecs import (
    STAND_INS,
    Exact,
    as_array,
    as_tensor,
    codec_for,
)
from components.replay.memory import available_bytes, human
from components.replay.store import EpisodeStore, Field
from components.transforms import Transform
from utils.errors import UserError, did_you_mean
from utils.registry import UnknownNameError

Scheme = dict[str, dict[str, Any]]
Groups = Mapping[str, int]
Preprocess = Mapping[str, tuple[str, Sequence[Transform]]]
Index = Any  # a slice, an int, or numbers of episodes (list, array or tensor)

FILLED = {"vshape": (1,), "dtype": torch.long}
EVERYTHING = slice(None)


class ShapeError(UserError, ValueError):
    """Data that does not fit the field it was given for."""


def complete_scheme(scheme: Mapping[str, dict[str, Any]], preprocess: Preprocess) -> Scheme:
    """`scheme` with the outputs of `preprocess` and the reserved field `filled`."""
    complete = dict(scheme)
    if complete.setdefault("filled", FILLED) != FILLED:
        raise UserError("'filled' is a reserved name: the batch marks its real steps with it.")
    for source, (output, transforms) in preprocess.items():
        if source not in scheme:
            raise UnknownNameError(_unknown("source of a preprocess", source, scheme))
        info = {"vshape": scheme[source]["vshape"], "dtype": _dtype(scheme[source])}
        for transform in transforms:
            shape, dtype = transform.infer_output_info(info["vshape"], info["dtype"])
            info = {"vshape": shape, "dtype": dtype}
        inherited = {k: v for k, v in scheme[source].items() if k in ("group", "episode_const")}
        complete[output] = {**inherited, **info}
    return complete


class EpisodeBatch:
    """B episodes of up to T slots; every field a tensor (B, T, [group,] *vshape).

    An entry of the scheme says {"vshape": int or tuple, "dtype": torch dtype (float32),
    "group": name (optional), "episode_const": bool (optional)}; constants have no T axis.
    Sub-batches share memory with the batch they were taken from, except where episodes are
    chosen by a list.
    """

    def __init__(
        self,
        scheme: Mapping[str, dict[str, Any]],
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

    def extend(self, scheme: Mapping[str, dict[str, Any]], groups: Groups | None = None) -> None:
        """Add fields, filled with zeros."""
        self.groups = {**self.groups, **(groups or {})}
        for key, info in scheme.items():
            shape = field_shape(key, info, self.groups)
            constant = info.get("episode_const", False)
            lead = (self.batch_size,) if constant else (self.batch_size, self.max_seq_length)
            fields = self.data.episode_data if constant else self.data.transition_data
            fields[key] = torch.zeros(*lead, *shape, dtype=_dtype(info), device=self.device)
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
        data: Mapping[str, Any],
        bs: Index = EVERYTHING,
        ts: slice | int = EVERYTHING,
        mark_filled: bool = True,
    ) -> None:
        """Write lists, arrays or tensors into episodes `bs` and slots `ts`.

        Axes of length 1 may be left out or added; all others must agree. Unless told otherwise,
        marks the slots as filled if any field with a time axis is written.
        """
        episodes, slots = _episode_index(bs), _slice(ts)
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
                raise UnknownNameError(_unknown("field", key, self.scheme))

    def max_t_filled(self) -> int:
        """The number of filled slots of the longest episode."""
        return int(self["filled"].sum(1).max())

    def __getitem__(self, item: Any) -> Any:
        """`batch["obs"]` is a tensor; `batch["obs", "state"]`, `batch[bs]`, `batch[bs, ts]` are
        sub-batches, where an int counts as a slice of length 1."""
        if isinstance(item, str):
            return self._field(item)
        if isinstance(item, tuple) and item and all(isinstance(key, str) for key in item):
            return self._with_fields(item)
        episodes, slots = item if isinstance(item, tuple) else (item, EVERYTHING)
        return self._part(_episode_index(episodes), _slice(slots))

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
        raise UnknownNameError(_unknown("field", key, self.scheme))

    def _with_fields(self, keys: tuple[str, ...]) -> EpisodeBatch:
        data = SimpleNamespace(transition_data={}, episode_data={})
        for key in keys:
            constant = key in self.data.episode_data
            fields = data.episode_data if constant else data.transition_data
            fields[key] = self._field(key)
        return self._like({key: self.scheme[key] for key in keys}, data, self.max_seq_length)

    def _part(self, episodes: Index, slots: slice) -> EpisodeBatch:
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

    def _write(self, key: str, target: Tensor, index: tuple[Any, ...], value: Any) -> None:
        _assign(key, target, index, value)
        if key in self.preprocess:
            output, transforms = self.preprocess[key]
            derived = transformed(transforms, target[index])
            _assign(output, self._field(output), index, derived)


class ReplayBuffer:
    """The last `buffer_size` episodes; `sample` gives equal copies of those inserted.

    Exactly the filled slots are stored, so what a batch holds beyond an episode's last filled slot
    is not kept. Outputs of `preprocess` are computed again instead of being stored. Batches come
    back cut to their longest episode, on `device`.
    """

    def __init__(
        self,
        scheme: Mapping[str, dict[str, Any]],
        groups: Groups,
        buffer_size: int,
        max_seq_length: int,
        preprocess: Preprocess | None = None,
        device: str | torch.device = "cpu",
    ) -> None:
        self.groups = groups
        self.buffer_size = buffer_size
        self.max_seq_length = max_seq_length
        self.preprocess = preprocess or {}
        self.device = device
        self.scheme = complete_scheme(scheme, self.preprocess)
        self.inserted = 0  # episodes ever inserted: the i-th lies in place i % buffer_size
        self._outputs = {output: source for source, (output, _) in self.preprocess.items()}
        self._store = EpisodeStore(buffer_size, max_seq_length, self._stored_fields())

    @property
    def episodes_in_buffer(self) -> int:
        return min(self.inserted, self.buffer_size)

    @property
    def buffer_index(self) -> int:
        """The place of the next episode."""
        return self.inserted % self.buffer_size

    def insert_episode_batch(self, ep_batch: EpisodeBatch) -> None:
        """Copy the batch's episodes in, over the oldest ones when full."""
        if ep_batch.scheme.keys() != self.scheme.keys():
            raise UserError(
                f"The batch has the fields {', '.join(ep_batch.scheme)}; the replay buffer was "
                f"built for {', '.join(self.scheme)}."
            )
        lengths = self._filled_lengths(ep_batch)
        skipped = max(0, len(lengths) - self.buffer_size)  # would be overwritten at once
        values = {key: as_array(ep_batch[key])[skipped:] for key in self.scheme}
        for output in self._outputs:
            given = values[output]
            lead = 1 if self._is_constant(output) else 2  # the axes B, T
            values[_flag(output)] = np.any(given, axis=tuple(range(lead, given.ndim)))
        numbers = np.arange(self.inserted + skipped, self.inserted + len(lengths))
        self._store.write(numbers % self.buffer_size, lengths[skipped:], values)
        self.inserted += len(lengths)

    def can_sample(self, batch_size: int) -> bool:
        return self.episodes_in_buffer >= batch_size

    def sample(self, batch_size: int) -> EpisodeBatch:
        """Different episodes, uniformly chosen by numpy's global stream.

        With exactly `batch_size` episodes stored, all of them in order, without drawing a number.
        """
        if not self.can_sample(batch_size):
            raise UserError(
                f"{batch_size} episodes were asked for, but the replay buffer holds "
                f"{self.episodes_in_buffer}."
            )
        if batch_size == self.episodes_in_buffer:
            return self._read(np.arange(batch_size))
        return self._read(np.random.choice(self.episodes_in_buffer, batch_size, replace=False))

    def __repr__(self) -> str:
        return (
            f"ReplayBuffer({self.episodes_in_buffer} of {self.buffer_size} episodes, "
            f"{human(self.bytes_used())}, fields: {', '.join(self.scheme)})"
        )

    # Memory

    def bytes_per_step(self) -> int:
        """The most that one stored step takes."""
        return self._store.bytes_per_step()

    def bytes_when_full(self, fill: float = 1.0) -> int:
        """The most that `buffer_size` episodes of `fill` times the longest length take."""
        return self.buffer_size * self._store.bytes_per_episode(fill)

    def bytes_used(self) -> int:
        """What the episodes so far have really taken."""
        return self._store.bytes_used(self.episodes_in_buffer)

    def check_memory(self, fill: float = 1.0) -> None:
        """Refuse a buffer that cannot fit, where the system says how much memory it has."""
        available = available_bytes()
        needed = self.bytes_when_full(fill) - self.bytes_used()
        if available is None or needed <= available:
            return
        fitting = available // self._store.bytes_per_episode(fill)
        raise UserError(
            f"The replay buffer can grow to {human(needed)}, but {human(available)} of memory are "
            f"available (buffer_size={self.buffer_size}, episodes {fill:.0%} full).\n"
            f"buffer_size={fitting} fits. If episodes usually end early, say how full they are: "
            "buffer_fill=0.4"
        )

    # Checkpoints

    def episodes_since(self, number: int, until: int | None = None) -> dict[str, np.ndarray]:
        """The stored episodes from the `number`-th ever inserted on, as compact plain arrays.

        Without the `until`-th and those after it, if that is given.
        """
        last = self.inserted if until is None else until
        first = min(max(number, self.inserted - self.episodes_in_buffer), last)
        places = np.arange(first, last) % self.buffer_size
        return {"first": np.array(first), **self._store.dump(places)}

    def restore(self, inserted: int, parts: Iterable[Mapping[str, np.ndarray]]) -> None:
        """Become the buffer that wrote `parts` (of `episodes_since`) and had `inserted` episodes.

        Parts come oldest first, and each is done with before the next is asked for.

        Every later sample is the same as that buffer's.
        """
        oldest = inserted - min(inserted, self.buffer_size)
        self._store = EpisodeStore(self.buffer_size, self.max_seq_length, self._stored_fields())
        restored = oldest
        for part in parts:
            first = int(part["first"])
            end = first + len(part["lengths"])
            if end <= restored:
                continue
            if first > restored or end > inserted or end - first > self.buffer_size:
                break
            self._store.load(np.arange(first, end) % self.buffer_size, part)
            restored = end
        if restored != inserted:
            raise UserError(
                f"The saved replay does not fit: episodes {oldest} to {inserted - 1} are needed "
                f"for buffer_size={self.buffer_size}, but only those before {restored} were found. "
                "Resume with the buffer_size of the run that wrote it."
            )
        self.inserted = inserted

    def _stored_fields(self) -> dict[str, Field]:
        avail = self.scheme.get("avail_actions")
        n_actions = field_shape("avail_actions", avail, self.groups)[-1] if avail else None
        fields: dict[str, Field] = {}
        for key, info in self.scheme.items():
            constant = self._is_constant(key)
            if key in self._outputs:
                written = Exact((), np.dtype(np.uint8))
                fields[_flag(key)] = Field((), written, constant)
            elif key != "filled":
                shape = field_shape(key, info, self.groups)
                codec = codec_for(key, shape, _dtype(info), n_actions)
                fields[key] = Field(shape, codec, constant)
        return fields

    def _is_constant(self, key: str) -> bool:
        return bool(self.scheme[key].get("episode_const", False))

    def _filled_lengths(self, ep_batch: EpisodeBatch) -> np.ndarray:
        filled = as_array(ep_batch["filled"])[:, :, 0] != 0  # (B, T)
        lengths = np.count_nonzero(filled, axis=1)
        if not (filled == (np.arange(filled.shape[1]) < lengths[:, None])).all():
            raise UserError("Replay stores episodes without gaps: filled slots, then padding.")
        if lengths.max(initial=0) > self.max_seq_length:
            raise UserError(
                f"An episode of {lengths.max()} slots does not fit into a replay buffer for "
                f"max_seq_length={self.max_seq_length}."
            )
        return lengths

    def _read(self, places: np.ndarray) -> EpisodeBatch:
        lengths = self._store.lengths[places]
        width = max(1, int(lengths.max()))
        arrays = self._store.read(places, width)
        filled = np.arange(width) < lengths[:, None]  # (n, T)
        arrays["filled"] = filled.astype(np.int64).reshape(*filled.shape, 1)
        data = SimpleNamespace(transition_data={}, episode_data={})
        for key, info in self.scheme.items():
            if key in self._outputs:
                tensor = self._recompute(key, arrays)
            else:
                tensor = as_tensor(arrays[key], _dtype(info))
            fields = data.episode_data if self._is_constant(key) else data.transition_data
            fields[key] = tensor
        batch = EpisodeBatch(self.scheme, self.groups, len(places), width, data, self.preprocess)
        return batch.to(self.device)

    def _recompute(self, output: str, arrays: Mapping[str, np.ndarray]) -> Tensor:
        source = self._outputs[output]
        given = as_tensor(arrays[source], _dtype(self.scheme[source]))
        tensor = transformed(self.preprocess[source][1], given)
        # Padding, and slots where the source was never written, hold zeros, not f(0).
        tensor[torch.from_numpy(arrays[_flag(output)] == 0)] = 0
        return tensor


def field_shape(key: str, info: Mapping[str, Any], groups: Groups) -> tuple[int, ...]:
    """The axes of a field after (B, T)."""
    vshape = info["vshape"]
    shape = (vshape,) if isinstance(vshape, int | np.integer) else tuple(vshape)
    group = info.get("group")
    if group is None:
        return shape
    if group not in groups:
        raise UnknownNameError(_unknown(f"group of field '{key}':", group, groups))
    return (groups[group], *shape)


def _dtype(info: Mapping[str, Any]) -> torch.dtype:
    return info.get("dtype", torch.float32)


def _flag(output: str) -> str:
    """The stored field that says where a preprocess output was written."""
    return f"written.{output}"


def _unknown(kind: str, name: str, known: Iterable[str]) -> str:
    return f"Unknown {kind} '{name}'.{did_you_mean(name, known)} Known: {', '.join(known)}."


def transformed(transforms: Sequence[Transform], tensor: Tensor) -> Tensor:
    for transform in transforms:
        tensor = transform.transform(tensor)
    return tensor


def _slice(index: Any) -> slice:
    if isinstance(index, slice):
        return index
    try:
        at = operator.index(index)
    except TypeError as error:
        raise UserError(
            "Slots are chosen by a number or a slice (and episodes also by a list of numbers), "
            f"not by {type(index).__name__} {index}."
        ) from error
    return slice(at, at + 1 or None)


def _episode_index(index: Index) -> Index:
    if isinstance(index, slice | list):
        return index
    if isinstance(index, Tensor) and index.ndim:
        return index.tolist()
    if isinstance(index, np.ndarray) and index.ndim:
        return np.flatnonzero(index) if index.dtype == bool else index
    return _slice(index)


def _selected_shape(target: Tensor, index: tuple[Any, ...]) -> tuple[int, ...]:
    """The shape of target[index] without making a copy of it."""
    shape = target.shape
    lead = [
        len(range(*part.indices(size))) if isinstance(part, slice) else len(part)
        for part, size in zip(index, shape, strict=False)
    ]
    return (*lead, *shape[len(lead) :])


def _assign(key: str, target: Tensor, index: tuple[Any, ...], value: Any) -> None:
    """target[index] = value, in the target's dtype.

    On the CPU through numpy, which takes half of torch's time for the few rows of one step.
    """
    wanted = _selected_shape(target, index)
    if target.is_cpu and target.dtype not in STAND_INS:
        target.numpy()[index] = _fitted(key, _to_numpy(key, value), wanted)
        return
    tensor = value if isinstance(value, Tensor) else torch.from_numpy(_to_numpy(key, value))
    target[index] = _fitted(key, tensor, wanted).to(target.device, target.dtype)


def _to_numpy(key: str, value: Any) -> np.ndarray:
    if isinstance(value, Tensor):
        return value.detach().cpu().numpy()
    try:
        return np.asarray(value)
    except ValueError as error:
        raise ShapeError(f"'{key}' was given as a list whose parts differ in shape.") from error


def _fitted(key: str, value: Any, wanted: tuple[int, ...]) -> Any:
    given = tuple(value.shape)
    if given == wanted:
        return value
    if [size for size in given if size != 1] == [size for size in wanted if size != 1]:
        return value.reshape(wanted)
    raise ShapeError(
        f"'{key}' was given with shape {given}, but this part of the batch has shape {wanted} "
        "(episodes, slots, then the field's own axes)."
    )
