"""A thread that delivers the latest state, however often the other side goes away."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from utils.logging import get_logger

LONGEST_PAUSE = 30.0  # seconds between two attempts
PAUSE_AT_END = 0.5
GRACE = 10.0  # seconds for an attempt that is under way when time is up


class Courier:
    """Calls `deliver` whenever there is news, and again until it succeeds.

    `deliver` sends everything that is new by then, so calls need not be counted or kept.
    """

    def __init__(self, deliver: Callable[[], None], reason: Callable[[Exception], str]) -> None:
        self._deliver, self._reason = deliver, reason
        self._news = threading.Event()
        self._closing = threading.Event()
        self._deadline = float("inf")
        self._failures = 0
        self.reached = False  # at least once
        self.delivered = True
        self._thread = threading.Thread(target=self._work, name="mongo", daemon=True)

    def start(self, complaint: str | None) -> None:
        """`complaint`: why the other side could not be reached just now; it has been said."""
        self._failures, self.reached = int(complaint is not None), complaint is None
        self._thread.start()

    def news(self) -> None:
        self.delivered = False
        self._news.set()

    def finish(self, patience: float) -> bool:
        """Deliver the rest within `patience` seconds; one last attempt where nobody ever was."""
        if not self.reached:
            patience = 0.0
        self._deadline = time.monotonic() + patience
        self._closing.set()
        self._news.set()
        if self._thread.ident is not None:
            self._thread.join(patience + GRACE)
        return self.stopped and self.delivered  # an attempt under way has delivered nothing yet

    @property
    def stopped(self) -> bool:
        return not self._thread.is_alive()

    def _work(self) -> None:
        while True:
            self._news.wait()
            if self._failures:
                self._pause()
            self._news.clear()
            self._attempt()
            hopeless = self._failures and self._late
            if self._closing.is_set() and (self.delivered or hopeless):
                return

    @property
    def _late(self) -> bool:
        return time.monotonic() >= self._deadline

    def _attempt(self) -> None:
        self.delivered = True  # unless there is news while we deliver
        try:
            self._deliver()
        except Exception as error:  # whatever it is, a run never ends because of its database
            self.delivered = False
            self._news.set()
            self._failed(error)
        else:
            self._succeeded()

    def _pause(self) -> None:
        if not self._closing.is_set():
            self._closing.wait(min(LONGEST_PAUSE, 2.0 ** (self._failures - 1)))
        elif not self._late:
            time.sleep(PAUSE_AT_END)

    def _failed(self, error: Exception) -> None:
        self._failures += 1
        if self._failures == 1:
            get_logger().warning(
                f"Warning: MongoDB is lost ({self._reason(error)}). The run goes on, its folder "
                "has everything; what is missing is sent when the database is back."
            )

    def _succeeded(self) -> None:
        if self._failures:
            get_logger().info("MongoDB is back and has everything so far.")
        self._failures, self.reached = 0, True
