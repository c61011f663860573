"""`profile=True`: where a run's time went; `with section(...)` says what it is spent on."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from functools import wraps
from typing import ParamSpec, TypeVar

from utils.errors import UserError

P = ParamSpec("P")
R = TypeVar("R")

REST, TESTS = "the rest", "tests"  # all that a test does is a test
OF_LEARNERS = {"improve_critic": "critic", "improve_actors": "actors, all levels"}
UNTIMED = nullcontext()


class Profile:
    """Seconds by phase; within a section, another one's time is only the other's."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = defaultdict(float)
        self._began = self._since = time.perf_counter()
        self._running = [REST]

    @contextmanager
    def timed(self, phase: str) -> Iterator[None]:
        self._switch()
        self._running.append(TESTS if TESTS in self._running else phase)
        try:
            yield
        finally:
            self._switch()
            self._running.pop()

    def _switch(self) -> None:
        now = time.perf_counter()
        self.seconds[self._running[-1]] += now - self._since
        self._since = now

    def lines(self) -> list[str]:
        """The phases, longest first, with their share."""
        self._switch()
        whole = max(self._since - self._began, 1e-9)
        ordered = sorted(self.seconds.items(), key=lambda item: -item[1])
        return [f"  {phase:<20} {each:8.1f} s {each / whole:4.0%}" for phase, each in ordered]


_measured: list[Profile] = []  # the profile that runs, if one does


def section(phase: str) -> AbstractContextManager[None]:
    """The block's time is the phase's, if a profile runs."""
    return _measured[-1].timed(phase) if _measured else UNTIMED


@contextmanager
def running() -> Iterator[Profile]:
    """A profile of the block."""
    profile = Profile()
    _measured.append(profile)
    try:
        yield profile
    finally:
        _measured.remove(profile)


def in_sections(kind: type[R], phases: Mapping[str, str]) -> type[R]:
    """A class like `kind` in which calls of the methods named are sections: method -> phase."""
    found = {name: getattr(kind, name) for name in phases if hasattr(kind, name)}
    timed = {name: _in_section(phases[name], method) for name, method in found.items()}
    return type(kind.__name__, (kind,), {"__module__": kind.__module__, **timed})


def _in_section(phase: str, method: Callable[P, R]) -> Callable[P, R]:
    @wraps(method)
    def call(*args: P.args, **kwargs: P.kwargs) -> R:
        with section(phase):
            return method(*args, **kwargs)

    return call


def require_cpu(device: str) -> None:
    """A GPU works on after a call returns, so that the clock would blame whoever waits for it."""
    if device != "cpu":
        raise UserError(
            "profile=True measures on the CPU alone. Type use_cuda=False, or profile=False."
        )
