"""How a sweep is doing: a table that redraws itself; without a terminal, one line a change."""

from __future__ import annotations

import shutil
import sys
import time
from collections import Counter
from dataclasses import dataclass

from sweeps.book import Attempt, RunPages
from sweeps.plan import PlannedRun
from utils.console import duration
from utils.logging import get_logger

DONE, RUNNING, WAITING, FAILED = "done", "running", "waiting", "failed"
STATES = (DONE, RUNNING, WAITING, FAILED)
CLEAR_LINE, UP = "\x1b[2K", "\x1b[{}A"


@dataclass
class Entry:
    """One run of the sweep and where it stands."""

    run: PlannedRun
    pages: RunPages
    state: str = WAITING
    run_id: str | None = None  # of the finished run
    reason: str = ""  # why it failed
    seen_attempts: int = 0  # before this sweep began

    @property
    def tries(self) -> list[Attempt]:
        """Of this sweep."""
        return self.pages.attempts[self.seen_attempts :]

    def look(self) -> None:
        """Whether it has begun, or waits again."""
        if self.state in (WAITING, RUNNING):
            tries = self.tries
            self.state = RUNNING if tries and tries[-1].ended is None else WAITING


class Table:
    """Redrawn in place on a terminal."""

    def __init__(self, name: str, entries: list[Entry]) -> None:
        self._name, self._entries = name, entries
        self._live = sys.stdout.isatty()
        self._drawn = 0  # lines on screen
        self._told: dict[str, tuple[str, int]] = {}
        self._began = time.monotonic()

    def show(self) -> None:
        for entry in self._entries:
            entry.look()
        if self._live:
            size = shutil.get_terminal_size()
            self._draw(table_lines(self.head(), self._entries, size.lines - 2, size.columns - 1))
        else:
            self._tell_changes()

    def head(self) -> str:
        counts = Counter(entry.state for entry in self._entries)
        parts = [f"{counts[state]} {state}" for state in STATES if counts[state]]
        seconds = duration(time.monotonic() - self._began)
        return f"{self._name}: {len(self._entries)} runs · {', '.join(parts)} · {seconds}"

    def clear(self) -> None:
        if self._live:
            self._draw([])

    def _draw(self, lines: list[str]) -> None:
        back = UP.format(self._drawn) if self._drawn else ""
        padded = [*lines, *[""] * (self._drawn - len(lines))]
        text = "".join(f"{CLEAR_LINE}{line}\n" for line in padded)
        surplus = len(padded) - len(lines)
        sys.stdout.write(back + text + (UP.format(surplus) if surplus else ""))
        sys.stdout.flush()
        self._drawn = len(lines)

    def _tell_changes(self) -> None:
        done = sum(entry.state == DONE for entry in self._entries)
        for entry in self._entries:
            now = (entry.state, len(entry.tries))
            before = self._told.setdefault(entry.run.identity, (WAITING, 0))
            if now != before and entry.state != WAITING:
                count = f"{done}/{len(self._entries)} " if entry.state == DONE else ""
                get_logger().info(f"{count}{row(entry)}")
            self._told[entry.run.identity] = now


def table_lines(head: str, entries: list[Entry], height: int, width: int) -> list[str]:
    """The head, then what runs, then what failed, as far as there is room."""
    shown = [entry for state in (RUNNING, FAILED) for entry in entries if entry.state == state]
    room = max(0, height - 2)
    lines = [head, *(f"  {row(entry)}" for entry in shown[:room])]
    if len(shown) > room:
        lines.append(f"  and {len(shown) - room} more")
    return [line[:width] for line in lines]


def row(entry: Entry) -> str:
    """ "running  qmix two_step seed=1  node7  try 2  50% |#####     | ..." """
    tries = entry.tries
    parts = [f"{entry.state:<8}", entry.run.label]
    if tries and entry.state == RUNNING:
        parts.append(tries[-1].host)
    if len(tries) > 1:
        parts.append(f"try {len(tries)}")
    if entry.state == DONE:
        parts.append(f"run {entry.run_id}")
    told = entry.reason if entry.state == FAILED else entry.pages.last_line
    return "  ".join([*parts, told])
