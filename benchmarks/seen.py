"""Under what circumstances figures were taken, in a line."""

from __future__ import annotations

import os
import platform
from importlib.metadata import version
from pathlib import Path


def processor() -> str:
    """Its name, where the system gives one."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()


def seen() -> str:
    """The machine, how busy it is, and the versions that matter."""
    return (
        f"Seen on {os.cpu_count()} cores of {processor()}, load {os.getloadavg()[0]:.1f}, Python "
        f"{platform.python_version()}, PyTorch {version('torch')}, numpy {version('numpy')}."
    )
