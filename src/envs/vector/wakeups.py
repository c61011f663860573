"""Waking another process that waits in `poll`: cheaper than any message, and says no more."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from multiprocessing.reduction import DupFd
from typing import Protocol, cast

ONE = (1).to_bytes(8, sys.byteorder)  # what an eventfd counts by, and as good as any for a pipe


class Inherited(Protocol):
    """A file descriptor on its way to a process that is being started."""

    def detach(self) -> int:
        """Its number there."""


class WakeUp:
    """Sent by one process and taken by one other, never twice before it is taken.

    Linux has eventfd for that. Elsewhere it is a pipe, in which the same bytes are a message.
    """

    def __init__(self) -> None:
        if hasattr(os, "eventfd"):
            self._read = self._write = os.eventfd(0)
        else:
            self._read, self._write = os.pipe()

    def fileno(self) -> int:
        """What to poll."""
        return self._read

    def send(self) -> None:
        os.write(self._write, ONE)

    def take(self) -> None:
        """Waits for it, if it has not been sent."""
        os.read(self._read, len(ONE))

    def close(self) -> None:
        for end in {self._read, self._write}:
            os.close(end)

    def __getstate__(self) -> list[Inherited]:
        """For a process that is being started; nobody else can be given one."""
        duplicate = cast(Callable[[int], Inherited], DupFd)
        return [duplicate(end) for end in sorted({self._read, self._write})]

    def __setstate__(self, ends: list[Inherited]) -> None:
        numbers = [end.detach() for end in ends]
        self._read, self._write = numbers[0], numbers[-1]
