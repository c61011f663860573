"""How the process keeps memory: an update frees and wants the same tensors again and again."""

from __future__ import annotations

import ctypes
import sys

# Of glibc's malloc.h.
M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3
LARGEST_KEPT = 64 << 20  # bytes of one tensor; larger ones, as in a replay memory, go back at once
MOST_KEPT = 512 << 20  # bytes at the end of the heap


def keep_freed_memory() -> bool:
    """Have freed tensors reused instead of given back to the system; whether that was possible.

    Otherwise each update gets its larger tensors as fresh pages, which the system has to find and
    fill with zeros. Only glibc can be asked; elsewhere nothing changes.
    """
    if not sys.platform.startswith("linux"):
        return False
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is None:
        return False
    # Both always: setting one ends glibc's own adjustment of the other.
    asked = (M_MMAP_THRESHOLD, LARGEST_KEPT), (M_TRIM_THRESHOLD, MOST_KEPT)
    return all([mallopt(option, size) == 1 for option, size in asked])
