"""How much memory a run took, kept beside its checkpoints: sweeps plan by it."""

from __future__ import annotations

import os
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Protocol

from machine.processes import PROC, peak_bytes
from records.checksums import checked, parse_checked
from utils.files import read_bytes, replace_text

FILE = "memory.json"


@dataclass(frozen=True)
class MemoryUse:
    """In bytes, and the steps that had been played by then."""

    peak: int  # the most that all processes of the run held
    replay: int  # of it, what the replay buffer held
    replay_full: int  # what that may become
    steps: int

    def at(self, t_max: int) -> int:
        """What a run of that kind takes in `t_max` steps.

        Its replay grows with the steps until it is full, the rest stays as it is.
        """
        grown = self.replay * t_max // max(1, self.steps)
        return self.peak - self.replay + min(grown, self.replay_full)

    def write(self, folder: Path) -> None:
        replace_text(folder / FILE, checked(asdict(self)))


class Replay(Protocol):
    """What is asked of a buffer: all sizes in bytes."""

    buffer_size: int

    @property
    def episodes_in_buffer(self) -> int: ...

    def bytes_used(self) -> int: ...

    def bytes_when_full(self, fill: float) -> int: ...


def measure(buffer: Replay, fill: float, steps: int) -> MemoryUse | None:
    """Of this run, now; None where the system does not say."""
    peak = peak_bytes(PROC / str(os.getpid()))
    if peak is None:
        return None
    held = buffer.bytes_used()
    is_full = buffer.episodes_in_buffer == buffer.buffer_size
    return MemoryUse(peak, held, held if is_full else buffer.bytes_when_full(fill), steps)


def read_use(folder: Path) -> MemoryUse | None:
    """What the run that saves in `folder` took; None if it has not told, or not so."""
    try:
        known = parse_checked(read_bytes(folder / FILE))
        return MemoryUse(**{key: int(value) for key, value in known.items()})
    except (OSError, TypeError, ValueError, RecursionError):  # none, or not as it was written
        return None
