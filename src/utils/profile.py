"""`profile=True`: where a run's time went. Nothing is measured, or slower, without it."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable
from typing import Any

from utils.errors import UserError

# What is asked of whom, as attributes of the session; whoever lacks it does not do it.
PHASES = {
    "environment": ("runner._train.vector.reset", "runner._train.vector.step"),
    "acting": ("runner._train.policy.act",),
    "replay": ("buffer.insert_episode_batch", "buffer.sample"),
    "critic": ("learner.improve_critic",),
    "actors, all levels": ("learner.improve_actors",),
    "other learning": ("learner.train",),
    "logging": ("logger.log_stat",),
    "saving": ("saver.save_if_due", "saver.save_best", "saver.save"),
}


class Profile:
    """Seconds by phase of a session; within a phase, another one's time is only the other's."""

    def __init__(self, session: Any) -> None:
        self.seconds: dict[str, float] = defaultdict(float)
        self._began = self._since = time.perf_counter()
        self._running = ["tests and the rest"]
        self._watch(session)

    def _watch(self, session: Any) -> None:
        """Done by standing in front of the methods, which know nothing of it.

        In a class of the owner's own: an attribute of the owner would go along into copies of it,
        and there still work on the owner.
        """
        for phase, paths in PHASES.items():
            for path in paths:
                *owners, method = path.split(".")
                owner = session
                for name in owners:
                    owner = getattr(owner, name, None)
                kind = type(owner)
                if hasattr(kind, method):
                    timed = {method: self.timed(phase, getattr(kind, method))}
                    owner.__class__ = type(kind.__name__, (kind,), timed)

    def timed(self, phase: str, method: Callable[..., Any]) -> Callable[..., Any]:
        def stand_in(*args: Any, **kwargs: Any) -> Any:
            self._switch()
            self._running.append(phase)
            try:
                return method(*args, **kwargs)
            finally:
                self._switch()
                self._running.pop()

        return stand_in

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


def require_cpu(device: str) -> None:
    """A GPU works on after a call returns, so that the clock would blame whoever waits for it."""
    if device != "cpu":
        raise UserError(
            "profile=True measures on the CPU alone. Type use_cuda=False, or profile=False."
        )
