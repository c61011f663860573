"""Work beside the run: one piece at a time, in a thread of its own."""

from __future__ import annotations

from collections.abc import Callable
from concurrent import futures


class Background:
    """What the work raises is raised where its end is asked for."""

    def __init__(self, name: str) -> None:
        self._thread = futures.ThreadPoolExecutor(1, thread_name_prefix=name)
        self._work: futures.Future[None] | None = None

    def start(self, work: Callable[[], None]) -> None:
        """Call when the one before has been asked for."""
        assert self._work is None
        self._work = self._thread.submit(work)

    @property
    def idle(self) -> bool:
        """Whether nothing has been started whose end was not asked for."""
        return self._work is None

    @property
    def done(self) -> bool:
        """Whether there is an end to ask for."""
        return self._work is not None and self._work.done()

    def wait(self) -> None:
        """Until nothing is being done, whatever came of it."""
        futures.wait([self._work] if self._work else [])

    def end(self) -> None:
        """Wait for the end, and raise what the work has raised."""
        work, self._work = self._work, None
        if work is not None:
            work.result()
