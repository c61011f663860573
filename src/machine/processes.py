"""What /proc tells of processes; nothing where there is none."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

PROC = Path("/proc")


def status_bytes(process: Path, entry: str) -> int | None:
    """An entry of a process' status file; None if it has ended, or nobody says."""
    try:
        lines = (process / "status").read_text().splitlines()
    except OSError:
        return None
    sizes = [int(line.split()[1]) * 1024 for line in lines if line.startswith(f"{entry}:")]
    return sizes[0] if sizes else None


def peak_bytes(process: Path) -> int | None:
    """The most memory that a process held, and those that it started and that still live.

    Each counts at its own highest, and with the libraries that it shares with the others.
    """
    own = status_bytes(process, "VmHWM")
    if own is None or not list(process.glob("task/*/children")):
        return None
    return own + sum(peak_bytes(child) or 0 for child in _children(process))


def _children(process: Path) -> Iterator[Path]:
    """Those of all its threads."""
    for file in process.glob("task/*/children"):
        try:
            numbers = file.read_text().split()
        except OSError:
            continue  # the thread has just ended
        yield from (process.parent / number for number in numbers)
