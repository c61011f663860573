"""What was made before and holds still; of each thing the newest version alone."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

Made = TypeVar("Made")


class Newest(Generic[Made]):
    """A memory of `most` things; the one that nobody has asked for the longest goes first."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._lock = threading.Lock()
        self._made: OrderedDict[Hashable, tuple[Hashable, Made]] = OrderedDict()

    def get(self, name: Hashable, version: Hashable, make: Callable[[], Made]) -> Made:
        """As it was made for this version, or made now. An earlier version is forgotten."""
        with self._lock:
            known = self._made.get(name)
            if known is not None and known[0] == version:
                self._made.move_to_end(name)
                return known[1]
        made = make()  # it may take a while; others need not wait
        with self._lock:
            self._made[name] = version, made
            self._made.move_to_end(name)
            if len(self._made) > self._most:
                self._made.popitem(last=False)
        return made
