"""All fields of all stored episodes, as numpy arrays."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from components.replay.codecs import Codec, Exact
from components.replay.columns import WORDS_PER_PAGE, Column, Rows, SparseColumn
from components.replay.memory import lazy_zeros
from components.replay.pages import PageTable
from utils.errors import UserError

Array = np.ndarray

STEPS_PER_PAGE = 8
# Skipping zeros costs a bit per number and a few milliseconds per sample: only where it pays.
WORTHWHILE_ZEROS = 1 / 8


@dataclass(frozen=True)
class Field:
    """One stored field: how it is encoded, and whether once per episode or at every step."""

    shape: tuple[int, ...]
    codec: Codec
    per_episode: bool = False


class EpisodeStore:
    """`n_episodes` places for episodes of up to `max_steps` steps.

    Only filled steps are kept. Memory is committed as it is written, and reused: what is in use is
    what the most steps that were ever alive at once need.
    """

    def __init__(self, n_episodes: int, max_steps: int, fields: Mapping[str, Field]) -> None:
        self.n_episodes, self.max_steps = n_episodes, max_steps
        self.fields = dict(fields)
        self.table = PageTable(n_episodes, max_steps, min(STEPS_PER_PAGE, max_steps))
        self._n_slots = self.table.n_pages * self.table.page_rows
        self.columns: dict[str, Column | SparseColumn] = {
            key: Column(field.codec, self._n_slots)
            for key, field in fields.items()
            if not field.per_episode
        }
        self.constants = {
            key: lazy_zeros((n_episodes, *field.codec.shape), field.codec.dtype)
            for key, field in fields.items()
            if field.per_episode
        }
        self._settled = False

    def write(self, episodes: Array, lengths: Array, values: Mapping[str, Array]) -> None:
        """Put episodes into the places `episodes`; `values` are (n, T, *shape) or (n, *shape)."""
        rows = self._claim(episodes, lengths)
        width = rows.slots.shape[1]
        filled = {key: values[key][:, :width][rows.filled] for key in self.columns}
        if not self._settled and len(rows.flat):
            self._settle({key for key in filled if self._is_sparse(key, filled[key])})
        for key, column in self.columns.items():
            column.write(rows, filled[key])
        for key, stored in self.constants.items():
            stored[episodes] = self.fields[key].codec.encode(values[key])

    def read(self, episodes: Array, width: int) -> dict[str, Array]:
        """Fresh arrays (n, width, *shape), zero beyond each episode's end, or (n, *shape)."""
        rows = self._rows(episodes, width)
        read = {key: column.read(rows) for key, column in self.columns.items()}
        for key, stored in self.constants.items():
            read[key] = self.fields[key].codec.decode(stored[episodes])
        return read

    def dump(self, episodes: Array) -> dict[str, Array]:
        """The episodes in their encoded form, as arrays that can be saved."""
        width = int(self.lengths[episodes].max(initial=0))
        rows = self._rows(episodes, width)
        dumped = {"lengths": rows.lengths}
        for key, column in self.columns.items():
            dumped |= column.dump(f"steps.{key}", rows)
        for key, stored in self.constants.items():
            dumped[f"episodes.{key}"] = stored[episodes]
        return dumped

    def load(self, episodes: Array, arrays: Mapping[str, Array]) -> None:
        """Put what `dump` returned into the places `episodes`."""
        held = {key: np.asarray(arrays[key]) for key in arrays}
        sparse = {key for key in self.columns if f"steps.{key}.words" in held}
        if not self._settled and (sparse or held["lengths"].any()):
            self._settle(sparse)
        self._check_dumped(held)
        rows = self._claim(episodes, held["lengths"])
        for key, column in self.columns.items():
            column.load(f"steps.{key}", rows, held)
        for key, stored in self.constants.items():
            stored[episodes] = held[f"episodes.{key}"]

    @property
    def lengths(self) -> Array:
        """(n_episodes,) filled steps of each place."""
        return self.table.lengths

    def bytes_per_step(self) -> int:
        """The most that one step takes."""
        return sum(self._most_bytes(key) for key in self.columns)

    def bytes_per_episode(self, fill: float) -> int:
        """The most that an episode of `fill` times the longest length takes."""
        page = self.table.page_rows
        steps = -(-int(np.ceil(fill * self.max_steps)) // page) * page
        constants = sum(stored[0].nbytes for stored in self.constants.values())
        word_tables = sum(
            8 * (1 + -(-self.max_steps * self._width(key) // WORDS_PER_PAGE))
            for key in self.columns
            if self._may_skip_zeros(key)
        )
        bookkeeping = self.table.overhead_bytes(1) + word_tables
        return steps * self.bytes_per_step() + constants + bookkeeping

    def bytes_used(self, n_episodes: int) -> int:
        """What the first `n_episodes` places have really taken so far."""
        slots = self.table.high_water * self.table.page_rows
        used = self.table.overhead_bytes(n_episodes)
        for column in self.columns.values():
            used += slots * column.slot_bytes + column.extra_bytes()
            if isinstance(column, SparseColumn):
                used += column.table.overhead_bytes(n_episodes)
        return used + sum(n_episodes * stored[0].nbytes for stored in self.constants.values())

    def _claim(self, episodes: Array, lengths: Array) -> Rows:
        self.table.claim(episodes, lengths)
        return self._rows(episodes, int(lengths.max(initial=0)))

    def _rows(self, episodes: Array, width: int) -> Rows:
        return Rows(episodes, self.lengths[episodes], self.table.rows(episodes, width))

    def _settle(self, sparse: set[str]) -> None:
        """Fix, once and before anything is stored, which fields are written without their zeros."""
        for key in sparse:
            codec = self.fields[key].codec
            self.columns[key] = SparseColumn(
                codec.shape, codec.dtype, self._n_slots, self.n_episodes, self.max_steps
            )
        self._settled = True

    def _is_sparse(self, key: str, values: Array) -> bool:
        zeros = values.size - int(np.count_nonzero(values))
        return self._may_skip_zeros(key) and zeros > WORTHWHILE_ZEROS * values.size

    def _may_skip_zeros(self, key: str) -> bool:
        """Floats, and enough of them per episode that half-empty pages do not matter."""
        codec = self.fields[key].codec
        is_float = isinstance(codec, Exact) and codec.dtype in (np.float32, np.float64)
        return is_float and self.max_steps * self._width(key) >= 8 * WORDS_PER_PAGE

    def _width(self, key: str) -> int:
        return int(np.prod(self.fields[key].codec.shape))

    def _most_bytes(self, key: str) -> int:
        codec = self.fields[key].codec
        n_bytes = self._width(key) * codec.dtype.itemsize
        return n_bytes + (-(-self._width(key) // 8) if self._may_skip_zeros(key) else 0)

    def _check_dumped(self, held: Mapping[str, Array]) -> None:
        wanted = self.dump(np.zeros(0, np.int64))
        for name, example in wanted.items():
            if name not in held:
                raise UserError(
                    f"The saved replay lacks '{name}'; it holds {', '.join(sorted(held))}. "
                    "It was written by a run with other fields: resume with that run's settings."
                )
            given = held[name]
            if (given.shape[1:], given.dtype) != (example.shape[1:], example.dtype):
                raise UserError(
                    f"The saved replay holds '{name}' as {given.dtype} {given.shape[1:]}; this run "
                    f"stores {example.dtype} {example.shape[1:]}. Resume with the settings and "
                    "the environment of the run that wrote it."
                )
