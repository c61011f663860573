"""A sweep's folder: the manifest of its runs, and a folder for each with what it said.

    results/sweeps/<name>/manifest.json         every run: configuration, command, state, run id
    results/sweeps/<name>/runs/<identity>/      output.txt, attempts.json, .lock

No torch here: the tasks on the cluster's machines import this.
"""

from __future__ import annotations

import fcntl
import json
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

POLL_SECONDS = 0.5


@dataclass
class Attempt:
    """One process of main.py."""

    host: str
    began: float  # seconds since 1970
    ended: float | None = None
    exit_code: int | None = None


@dataclass(frozen=True)
class RunPages:
    """What is written down about one run while it is played."""

    folder: Path

    @property
    def output(self) -> Path:
        return self.folder / "output.txt"

    @property
    def attempts(self) -> list[Attempt]:
        path = self.folder / "attempts.json"
        try:
            return [Attempt(**entry) for entry in json.loads(path.read_text())]
        except (FileNotFoundError, ValueError):  # none yet, or torn when the power went
            return []

    def write_attempts(self, attempts: list[Attempt]) -> None:
        write_json(self.folder / "attempts.json", [asdict(attempt) for attempt in attempts])

    @property
    def last_line(self) -> str:
        """The end of what the run said."""
        if not self.output.exists():
            return ""
        with self.output.open("rb") as file:
            file.seek(max(0, file.seek(0, os.SEEK_END) - 4096))
            lines = file.read().decode(errors="replace").strip().splitlines()
        return lines[-1].strip() if lines else ""


def write_json(path: Path, content: object) -> None:
    """Whole or not at all."""
    draft = path.with_name(f".{path.name}.part")
    draft.write_text(json.dumps(content, indent=1))
    draft.replace(path)


@contextmanager
def held(lock: Path, patience: float) -> Iterator[int | None]:
    """An open file that no other process holds, or None if that took too long.

    Whoever inherits the file holds it, too, however the others end.
    """
    handle = os.open(lock, os.O_CREAT | os.O_RDWR)
    try:
        yield handle if _locked(handle, time.monotonic() + patience) else None
    finally:
        os.close(handle)


def _locked(handle: int, deadline: float) -> bool:
    while True:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() >= deadline:
                return False
            time.sleep(POLL_SECONDS)
        else:
            return True
