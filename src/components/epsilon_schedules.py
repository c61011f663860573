"""Numbers that change with the count of environment steps, such as the exploration rate."""

from __future__ import annotations

from utils.errors import UserError, did_you_mean

SETTINGS = frozenset({"epsilon_start", "epsilon_finish", "epsilon_anneal_time"})
DECAYS = ("linear", "exp")


class DecayThenFlatSchedule:
    """From `start` to `finish` in `time_length` steps, then flat.

    "linear" falls by the same amount every step, "exp" by the same factor (both ends above zero).
    """

    def __init__(
        self, start: float, finish: float, time_length: float, decay: str = "linear"
    ) -> None:
        if decay not in DECAYS:
            raise UserError(
                f"Unknown decay '{decay}'.{did_you_mean(decay, DECAYS)} Known: {', '.join(DECAYS)}."
            )
        if decay == "exp" and min(start, finish) <= 0:
            raise UserError(
                f"An exponential decay from {start} to {finish} never arrives: "
                "give a finish above 0, or decay 'linear'."
            )
        self.start = start
        self.finish = finish
        self.time_length = time_length
        self.decay = decay

    def eval(self, T: float) -> float:
        """The value after T environment steps."""
        if self.time_length <= T:
            return self.finish
        if self.decay == "exp":
            return max(
                self.finish, self.start * (self.finish / self.start) ** (T / self.time_length)
            )
        return max(self.finish, self.start - (self.start - self.finish) / self.time_length * T)


class LinearIncreaseSchedule:
    """From `start` up to `finish` in `time_length` steps, then flat."""

    def __init__(self, start: float, finish: float, time_length: float) -> None:
        self.start = start
        self.finish = finish
        self.time_length = time_length

    def eval(self, T: float) -> float:
        """The value after T environment steps."""
        if self.time_length <= T:
            return self.finish
        return min(self.finish, self.start + (self.finish - self.start) / self.time_length * T)
