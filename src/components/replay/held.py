"""Stored episodes that somebody is still reading while later ones take their places."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from threading import Condition
from typing import NamedTuple

import numpy as np

Array = np.ndarray
MOST_ASIDE = 64 * 2**20  # bytes of copies


class Part(NamedTuple):
    """Episodes `first` to `until`, encoded."""

    first: int
    until: int
    arrays: dict[str, Array]


class HeldEpisodes:
    """Episodes `first` to `until` as they are now, read once, oldest first, in another thread.

    Whoever overwrites some of them first copies those aside that have not been read. Where too much
    lies aside, it waits for the reader: new episodes lie in the places of the oldest, so that is a
    reader who takes longer than it takes to collect all that it has before it.
    """

    def __init__(
        self, dump: Callable[[int, int], dict[str, Array]], first: int, until: int
    ) -> None:
        """`dump` gives the stored episodes from one number to another."""
        self._dump, self._next, self._until = dump, first, until
        self._aside: list[Part] = []
        self._changed = Condition()

    def take(self, count: int) -> Part | None:
        """The next `count`, or as many as were copied aside; None after the last."""
        with self._changed:
            if self._aside:
                part, self._aside = joined(self._aside), []
                self._changed.notify()
                return part
            return self._take_until(min(self._next + count, self._until))

    def before_overwriting(self, number: int) -> None:
        """Episodes before that number are about to be overwritten."""
        with self._changed:
            while self._next < min(number, self._until) and self._bytes_aside() > MOST_ASIDE:
                self._changed.wait()
            part = self._take_until(min(number, self._until))
            if part is not None:
                self._aside.append(part)

    def release(self) -> None:
        """Nobody reads on."""
        with self._changed:
            self._next, self._aside = self._until, []
            self._changed.notify()

    def _take_until(self, number: int) -> Part | None:
        first = self._next
        if number <= first:
            return None
        self._next = number
        return Part(first, number, self._dump(first, number))

    def _bytes_aside(self) -> int:
        return sum(array.nbytes for part in self._aside for array in part.arrays.values())


def joined(parts: Sequence[Part]) -> Part:
    """Parts that follow each other, as one. Arrays without axes are those of the first."""
    first = parts[0].arrays
    arrays = {
        key: np.concatenate([part.arrays[key] for part in parts]) if array.ndim else array
        for key, array in first.items()
    }
    return Part(parts[0].first, parts[-1].until, arrays)
