"""How much memory a run took, kept beside its checkpoints: sweeps plan by it."""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from utils.processes import PROC, peak_bytes
from utils.tracking import read_json

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
        draft = folder / f".{FILE}.part"
        draft.write_text(json.dumps(asdict(self)))
        draft.replace(folder / FILE)


def measure(buffer: Any, fill: float, steps: int) -> MemoryUse | None:
    """Of this run, now; None where the system does not say."""
    peak = peak_bytes(PROC / str(os.getpid()))
    if peak is None:
        return None
    held = buffer.bytes_used()
    is_full = buffer.episodes_in_buffer == buffer.buffer_size
    return MemoryUse(peak, held, held if is_full else buffer.bytes_when_full(fill), steps)


def read_use(folder: Path) -> MemoryUse | None:
    """What the run that saves in `folder` took; None if it has not told."""
    try:
        return MemoryUse(**{key: int(value) for key, value in read_json(folder / FILE).items()})
    except (TypeError, ValueError):  # none, or not ours
        return None
