"""Which rows of a large array belong to which episode."""

from __future__ import annotations

import numpy as np

from components.replay.memory import lazy_zeros

INT = np.dtype(np.int64)
Array = np.ndarray


class PageTable:
    """Gives episodes of any length their rows, in pages of `page_rows` consecutive rows.

    Pages are taken from the ones freed last, else from the first never used: as many pages have
    ever been touched as were alive at once. Page 0 belongs to nobody and is never written: its
    zeros stand for all padding.
    """

    def __init__(self, n_episodes: int, max_rows: int, page_rows: int) -> None:
        self.page_rows = page_rows
        self.pages_per_episode = -(-max_rows // page_rows)
        self.n_pages = 1 + n_episodes * self.pages_per_episode
        self.lengths = lazy_zeros((n_episodes,), INT)  # rows of each episode
        self.high_water = 1  # pages ever touched, the one of zeros included
        self._table = lazy_zeros((n_episodes, self.pages_per_episode), INT)
        self._freed = lazy_zeros((self.n_pages,), INT)
        self._n_freed = 0

    def claim(self, episodes: Array, lengths: Array) -> None:
        """Give the (distinct) `episodes` rows for `lengths`; what they had before is free again."""
        before = -(-self.lengths[episodes] // self.page_rows)
        after = -(-lengths // self.page_rows)
        self.lengths[episodes] = lengths
        if (before == after).all():
            return
        self._release(self._owned(episodes, before))
        width = int(after.max())
        owned = np.zeros((len(episodes), width), INT)
        owned[np.arange(width) < after[:, None]] = self._take(int(after.sum()))
        self._table[episodes, :width] = owned

    def pages(self, episodes: Array) -> Array:
        """The pages of `episodes`, one episode after the other."""
        return self._owned(episodes, -(-self.lengths[episodes] // self.page_rows))

    def rows(self, episodes: Array, width: int) -> Array:
        """(n, width) row numbers; 0, a row of zeros, beyond an episode's length."""
        n_pages = -(-width // self.page_rows)
        first = self._table[episodes, :n_pages] * self.page_rows  # (n, pages)
        rows = first[:, :, None] + np.arange(self.page_rows)  # (n, pages, page_rows)
        rows = rows.reshape(len(episodes), n_pages * self.page_rows)[:, :width]  # (n, width)
        return np.where(np.arange(width) < self.lengths[episodes, None], rows, 0)

    def overhead_bytes(self, n_episodes: int) -> int:
        """Bytes of bookkeeping touched for `n_episodes`."""
        return n_episodes * (self.pages_per_episode + 1) * INT.itemsize

    def _owned(self, episodes: Array, counts: Array) -> Array:
        width = int(counts.max(initial=0))
        return self._table[episodes, :width][np.arange(width) < counts[:, None]]

    def _release(self, pages: Array) -> None:
        self._freed[self._n_freed : self._n_freed + len(pages)] = pages
        self._n_freed += len(pages)

    def _take(self, count: int) -> Array:
        recycled = min(count, self._n_freed)
        self._n_freed -= recycled
        pages = np.empty(count, INT)
        pages[:recycled] = self._freed[self._n_freed : self._n_freed + recycled]
        fresh = count - recycled
        pages[recycled:] = np.arange(self.high_water, self.high_water + fresh)
        self.high_water += fresh
        return pages
