"""Arrays that take memory only where they were written, and how much memory there is."""

from __future__ import annotations

import math
import mmap
import os
import platform
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from utils.errors import UserError

# The kernel may refuse a large mapping, although most of it is never touched, unless told that no
# swap need be reserved. Python names this flag from 3.13 on; most Linux machines share its value.
_GENERIC_LINUX = {"x86_64", "i686", "aarch64", "arm64", "armv7l", "riscv64", "s390x"}
_NO_RESERVE = 0x4000 if sys.platform == "linux" and platform.machine() in _GENERIC_LINUX else 0


def lazy_zeros(shape: tuple[int, ...], dtype: np.dtype) -> np.ndarray:
    """A zero array whose pages are committed on first write, however large `shape` is."""
    n_bytes = math.prod(shape) * dtype.itemsize
    try:
        if not _NO_RESERVE or n_bytes == 0:
            return np.zeros(shape, dtype)
        flags = mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS | _NO_RESERVE
        return np.frombuffer(mmap.mmap(-1, n_bytes, flags=flags), dtype).reshape(shape)
    except (MemoryError, OSError, OverflowError) as error:
        raise UserError(
            f"The system refuses {human(n_bytes)} of address space for the replay buffer "
            f"({error}). Ask for fewer episodes: buffer_size=..."
        ) from error


def available_bytes() -> int | None:
    """Memory that this process may still use, or None where the system does not say."""
    limits = [limit for limit in (_free_in_system(), *_free_in_cgroups()) if limit is not None]
    return min(limits, default=None)


def _free_in_cgroups(root: Path = Path("/sys/fs/cgroup")) -> Iterator[int]:
    """What the limits of containers and batch systems leave, from the innermost out."""
    try:
        own = Path("/proc/self/cgroup").read_text().strip().splitlines()[-1].split("::")[1]
    except (OSError, IndexError):
        return  # not Linux, or the old kind of control groups
    group = root / own.lstrip("/")
    for folder in (group, *group.parents):
        try:
            limit = (folder / "memory.max").read_text().strip()
            used = int((folder / "memory.current").read_text())
        except (OSError, ValueError):
            continue
        if limit != "max":
            yield max(0, int(limit) - used)


def _free_in_system() -> int | None:
    """Memory that can be used without swapping."""
    meminfo = Path("/proc/meminfo")
    if meminfo.exists():
        for line in meminfo.read_text().splitlines():
            if line.startswith("MemAvailable:"):
                return int(line.split()[1]) * 1024
    names = os.sysconf_names if sys.platform != "win32" else {}
    if "SC_AVPHYS_PAGES" in names and "SC_PAGE_SIZE" in names:
        return os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    return None


def human(n_bytes: float) -> str:
    """12.8 GB, 3.1 MB, 900 B."""
    for unit, size in (("TB", 1e12), ("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if n_bytes >= size:
            return f"{n_bytes / size:.1f} {unit}"
    return f"{int(n_bytes)} B"
