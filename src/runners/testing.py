"""Tests of one kind: their episodes and random numbers are apart from training and each other."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from runners.seats import Seats
from runners.tally import Tally
from utils.seeding import RandomStream, derive_seed


class TestPlay:
    """Greedy tests, or those that act as in training."""

    __test__ = False  # not a test case, whatever pytest thinks of the name

    def __init__(self, seed: int, stream: int, prefix: str, rows: int) -> None:
        self.stream, self.prefix = stream, prefix  # of the names in the log
        self.random = RandomStream(derive_seed(seed, stream))
        self.episodes = [0] * rows  # begun so far, for each row
        self.seats: Seats | None = None  # made when first needed

    @property
    def restarts(self) -> int:
        return self.seats.restarts if self.seats else 0

    @property
    def episodes_in(self) -> int:
        """Played and not yet in the log."""
        return self.seats.tally.episodes if self.seats else 0

    def log(self, log_stat: Callable[[str, float, int], None], t_env: int) -> None:
        assert self.seats is not None
        self.seats.tally.log(self.prefix, log_stat, t_env)

    def take(self, seats: Seats) -> Seats:
        self.seats, seats.episodes = seats, self.episodes
        return seats

    def give_up(self, state: dict[str, Any]) -> None:
        """Be as in that state, as if a test had not begun."""
        if self.seats is not None:
            self.seats.tally = Tally()
        self.load_state_dict(state)

    def state_dict(self) -> dict[str, Any]:
        return {"random": self.random.state_dict(), "episodes": list(self.episodes)}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.random.load_state_dict(state["random"])
        self.episodes[:] = state["episodes"]
