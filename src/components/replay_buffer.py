"""Many episodes, stored compactly."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from types import SimpleNamespace

import numpy as np
import torch
from torch import Tensor

from components.episode_batch import EpisodeBatch
from components.replay.codecs import Exact, as_array, as_tensor, codec_for
from components.replay.held import HeldEpisodes
from components.replay.memory import available_bytes, human
from components.replay.store import EpisodeStore, Field
from components.scheme import Groups, Scheme, field_dtype, field_shape
from components.transforms import Preprocess, complete_scheme, transformed
from utils.errors import UserError


class ReplayBuffer:
    """The last `buffer_size` episodes; `sample` gives equal copies of those inserted.

    Exactly the filled slots are stored, so what a batch holds beyond an episode's last filled slot
    is not kept. Outputs of `preprocess` are computed again instead of being stored. Batches come
    back cut to their longest episode, on `device`.
    """

    def __init__(
        self,
        scheme: Scheme,
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
        self._held = HeldEpisodes(self.episodes_since, 0, 0)

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
        self._held.before_overwriting(self.inserted + len(lengths) - self.buffer_size)
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

    def hold(self, number: int) -> HeldEpisodes:
        """The same, to be read in another thread: as it is now, whatever is inserted meanwhile.

        What was held before is let go.
        """
        self._held.release()
        first = max(number, self.inserted - self.episodes_in_buffer)
        self._held = HeldEpisodes(self.episodes_since, first, self.inserted)
        return self._held

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
                codec = codec_for(key, shape, field_dtype(info), n_actions)
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
                tensor = as_tensor(arrays[key], field_dtype(info))
            fields = data.episode_data if self._is_constant(key) else data.transition_data
            fields[key] = tensor
        batch = EpisodeBatch(self.scheme, self.groups, len(places), width, data, self.preprocess)
        return batch.to(self.device)

    def _recompute(self, output: str, arrays: Mapping[str, np.ndarray]) -> Tensor:
        source = self._outputs[output]
        given = as_tensor(arrays[source], field_dtype(self.scheme[source]))
        tensor = transformed(self.preprocess[source][1], given)
        # Padding, and slots where the source was never written, hold zeros, not f(0).
        tensor[torch.from_numpy(arrays[_flag(output)] == 0)] = 0
        return tensor


def _flag(output: str) -> str:
    """The stored field that says where a preprocess output was written."""
    return f"written.{output}"
