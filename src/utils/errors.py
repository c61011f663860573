"""Mistakes that the user can fix, worded so that the fix is in the message."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class UserError(Exception):
    """A mistake outside the code: `main.py` prints it on one screen and exits with `exit_code`."""

    exit_code = 2


class DivergedError(UserError):
    """Learning has left the numbers that float32 can hold."""

    def __init__(self, what: str) -> None:
        super().__init__(
            f"{what} NaN or infinity: learning has diverged. Start from an earlier checkpoint with "
            "a smaller lr or grad_norm_clip."
        )


def nearest(name: str, names: Iterable[str]) -> str | None:
    """The entry of `names` that is spelt most like `name`, if any is close."""
    by_lower = {candidate.lower(): candidate for candidate in names}
    wanted = str(name).lower()
    begun = [known for known in by_lower if len(wanted) > 2 and known.startswith(wanted)]
    match = difflib.get_close_matches(wanted, by_lower, n=1, cutoff=0.78) or begun
    return by_lower[match[0]] if match else None


def did_you_mean(name: str, names: Iterable[str]) -> str:
    """' Did you mean ...?' for the nearest of `names`, or nothing."""
    match = nearest(name, names)
    return f" Did you mean '{match}'?" if match else ""
