"""Mistakes that the user can fix, worded so that the fix is in the message."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable

LONG_WORD = re.compile(r"\S{300,}")  # a value of 5,000 digits, no path
SCREEN = 1600  # characters; a terminal of 80 times 24 shows a few more


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
    matches = (
        _mistyped(wanted, by_lower)
        or difflib.get_close_matches(wanted, by_lower, n=1, cutoff=0.78)
        or [known for known in by_lower if len(wanted) > 2 and known.startswith(wanted)]
    )
    return by_lower[matches[0]] if matches else None


def _mistyped(wanted: str, names: Iterable[str]) -> list[str]:
    """Those few slips of the fingers away, nearest first: one slip, or one in four letters."""
    limit = max(1, len(wanted) // 4) if len(wanted) > 2 else 0
    near = [name for name in names if abs(len(name) - len(wanted)) <= limit]
    counted = sorted((slips(wanted, name), name) for name in near)
    return [name for count, name in counted if count <= limit]


def slips(typed: str, meant: str) -> int:
    """Letters that are wrong, missing or too many, or swapped with their neighbour."""
    before, row = [0] * (len(meant) + 1), list(range(len(meant) + 1))
    for i, letter in enumerate(typed, start=1):
        earlier, before, row = before, row, [i]
        for j, other in enumerate(meant, start=1):
            row.append(min(before[j] + 1, row[-1] + 1, before[j - 1] + (letter != other)))
            if i > 1 and j > 1 and letter == meant[j - 2] and typed[i - 2] == other:
                row[j] = min(row[j], earlier[j - 2] + 1)
    return row[-1]


def did_you_mean(name: str, names: Iterable[str]) -> str:
    """' Did you mean ...?' for the nearest of `names`, or nothing."""
    match = nearest(name, names)
    return f" Did you mean '{match}'?" if match else ""


def printable(text: str) -> str:
    """`text` with its control characters, but for ends of lines, written as escapes."""
    return "".join(c if c.isprintable() or c == "\n" else repr(c)[1:-1] for c in text)


def last_line(text: str) -> str:
    """The last line of `text`, which in a traceback says what went wrong, for a terminal."""
    return _without_middle(printable(text.strip()).split("\n")[-1], SCREEN // 2)


def one_screen(message: str) -> str:
    """`message` as a terminal can show it: what was given may be long, or no text at all."""
    shown = LONG_WORD.sub(lambda word: _without_middle(word[0], 100), printable(message))
    return _without_middle("\n".join(shown.splitlines()[:20]), SCREEN)


def _without_middle(text: str, length: int) -> str:
    """Its beginning, which says what it is about, and its end, which says what to do."""
    if len(text) <= length:
        return text
    half = length // 2
    return f"{text[:half]} ... ({len(text) - 2 * half:,} characters) ... {text[-half:]}"
