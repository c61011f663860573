"""One field of all stored steps."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from components.replay.codecs import Codec
from components.replay.memory import lazy_zeros
from components.replay.pages import PageTable

Array = np.ndarray

WORDS_PER_PAGE = 256


@dataclass
class Rows:
    """Where the steps of some episodes lie."""

    episodes: Array  # (n,)
    lengths: Array  # (n,) steps
    slots: Array  # (n, T) row of each step; 0 for padding

    @cached_property
    def filled(self) -> Array:
        """(n, T) bool"""
        return np.arange(self.slots.shape[1]) < self.lengths[:, None]

    @cached_property
    def flat(self) -> Array:
        """The slots of all filled steps, one episode after the other."""
        return self.slots[self.filled]


class Column:
    """A codec's output for every step, at the step's slot."""

    def __init__(self, codec: Codec, n_slots: int) -> None:
        self.codec = codec
        self.stored = lazy_zeros((n_slots, *codec.shape), codec.dtype)

    def write(self, rows: Rows, values: Array) -> None:
        """Store `values` (filled steps, *shape)."""
        self.stored[rows.flat] = self.codec.encode(values)

    def read(self, rows: Rows) -> Array:
        """(n, T, *shape), zeros in padding."""
        return self.codec.decode(self.stored.take(rows.slots, axis=0))

    def dump(self, name: str, rows: Rows) -> dict[str, Array]:
        """The encoded steps as plain arrays, each called `name` or `name` and a suffix."""
        return {name: self.stored[rows.flat]}

    def load(self, name: str, rows: Rows, arrays: dict[str, Array]) -> None:
        """Take back what `dump` returned."""
        self.stored[rows.flat] = arrays[name]

    @property
    def slot_bytes(self) -> int:
        """At most these many bytes per step."""
        return self.stored[0].nbytes

    def extra_bytes(self) -> int:
        """Bytes in use beside the slots."""
        return 0


class SparseColumn:
    """Floats of which many are zero: one bit per number says which, the others are stored.

    Observations of battles are like this: units out of sight, dead units, one-hot parts. Exact for
    every float, -0.0 and NaN included, because "zero" means that all its bits are zero.
    """

    def __init__(
        self, shape: tuple[int, ...], dtype: np.dtype, n_slots: int, n_episodes: int, steps: int
    ) -> None:
        self.shape, self.dtype = shape, dtype
        self.word = np.dtype(f"u{dtype.itemsize}")
        self.width = int(np.prod(shape))
        self.bits = lazy_zeros((n_slots, -(-self.width // 8)), np.dtype(np.uint8))
        self.table = PageTable(n_episodes, steps * self.width, WORDS_PER_PAGE)
        self.words = lazy_zeros((self.table.n_pages, WORDS_PER_PAGE), self.word)

    def write(self, rows: Rows, values: Array) -> None:
        words = np.ascontiguousarray(values).reshape(-1, self.width).view(self.word)  # (m, D)
        nonzero = words != 0
        ends = np.cumsum(np.append(0, np.count_nonzero(nonzero, axis=1)))
        last = np.cumsum(rows.lengths)
        self.bits[rows.flat] = np.packbits(nonzero, axis=1)
        kept = words.reshape(-1)[np.flatnonzero(nonzero)]
        self._put(rows.episodes, kept, ends[last] - ends[last - rows.lengths])

    def read(self, rows: Rows) -> Array:
        n, T = rows.slots.shape
        packed = self.bits.take(rows.slots, axis=0)  # (n, T, D / 8)
        words, starts = self._get(rows.episodes)
        found = np.empty((n, T * self.width), self.word)
        place = np.empty(T * self.width, np.intp)
        for i in range(n):  # an episode at a time stays in the processor's cache
            bits = np.unpackbits(packed[i], axis=1, count=self.width).reshape(-1)
            np.cumsum(bits, out=place)  # the r-th one-bit stands for the r-th word
            words[starts[i] - 1 :].take(place, mode="clip", out=found[i])
            found[i] *= bits
        return found.view(self.dtype).reshape(n, T, *self.shape)

    def dump(self, name: str, rows: Rows) -> dict[str, Array]:
        words, starts = self._get(rows.episodes)
        counts = self.table.lengths[rows.episodes]
        return {
            name: self.bits[rows.flat],
            f"{name}.words": words[_spans(starts, counts)],
            f"{name}.counts": counts,
        }

    def load(self, name: str, rows: Rows, arrays: dict[str, Array]) -> None:
        self.bits[rows.flat] = arrays[name]
        self._put(rows.episodes, arrays[f"{name}.words"], arrays[f"{name}.counts"])

    @property
    def slot_bytes(self) -> int:
        return self.bits[0].nbytes

    def extra_bytes(self) -> int:
        return self.table.high_water * WORDS_PER_PAGE * self.word.itemsize

    def _put(self, episodes: Array, words: Array, counts: Array) -> None:
        """Store the words of each episode, given one episode after the other."""
        self.table.claim(episodes, counts)
        pages = self.table.pages(episodes)
        padded = np.zeros(len(pages) * WORDS_PER_PAGE, self.word)
        padded[_spans(self._starts(counts), counts)] = words
        self.words[pages] = padded.reshape(-1, WORDS_PER_PAGE)

    def _get(self, episodes: Array) -> tuple[Array, Array]:
        """A page of zeros and the words of the episodes' pages, and where each episode's begin."""
        pages = np.append(0, self.table.pages(episodes))
        starts = WORDS_PER_PAGE + self._starts(self.table.lengths[episodes])
        return self.words[pages].reshape(-1), starts

    @staticmethod
    def _starts(counts: Array) -> Array:
        sizes = -(-counts // WORDS_PER_PAGE) * WORDS_PER_PAGE
        return np.cumsum(sizes) - sizes


def _spans(starts: Array, counts: Array) -> Array:
    """The numbers start .. start + count of every pair, one after the other."""
    shifts = starts - (np.cumsum(counts) - counts)
    return np.arange(int(counts.sum())) + np.repeat(shifts, counts)
