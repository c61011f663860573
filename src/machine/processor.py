"""Which processor this is: what was found out on one holds on its like, and on no other."""

from __future__ import annotations

import hashlib
import platform
from pathlib import Path

CPUINFO = Path("/proc/cpuinfo")
TOLD_OF_EACH = ("vendor_id", "cpu family", "model", "model name", "stepping", "flags", "Features")


def processor() -> str:
    """In a line of hexadecimal digits: the same for processors that can do the same."""
    told = [platform.system(), platform.machine(), platform.processor(), *_told()]
    return hashlib.sha256("\n".join(told).encode()).hexdigest()[:16]


def _told() -> list[str]:
    """What Linux says of the first core."""
    try:
        first = CPUINFO.read_text().split("\n\n")[0]
    except OSError:
        return []
    entries = [line.partition(":") for line in first.splitlines()]
    return [value.strip() for key, _, value in entries if key.strip() in TOLD_OF_EACH]
