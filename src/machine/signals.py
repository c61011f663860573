"""Stopping politely: the first signal asks the loop to save and leave, the second leaves now."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable
from types import FrameType

Handler = Callable[[int, FrameType | None], object] | int | None  # as `signal` gives it back


class StopRequest:
    """While installed, SIGINT and SIGTERM set `signal` instead of ending the process.

    In another thread than the main one nothing is installed, for signals do not reach it.
    """

    SIGNALS = (signal.SIGINT, signal.SIGTERM)

    def __init__(self) -> None:
        self.signal: int | None = None
        self._earlier: dict[int, Handler] = {}

    @property
    def requested(self) -> bool:
        return self.signal is not None

    def __enter__(self) -> StopRequest:
        in_main = threading.current_thread() is threading.main_thread()
        for number in self.SIGNALS if in_main else ():
            self._earlier[number] = signal.signal(number, self._receive)
        return self

    def __exit__(self, *exc: object) -> None:
        for number, handler in self._earlier.items():
            signal.signal(number, handler)

    def _receive(self, number: int, frame: FrameType | None) -> None:
        if self.signal is not None:
            os._exit(128 + number)  # asked twice: leave now; the last checkpoint is on disk
        self.signal = number
        os.write(2, b"\nStopping after this episode; once more to leave at once.\n")
