"""How the process keeps memory: an update frees and wants the same tensors again and again."""

from __future__ import annotations

import ctypes
import sys

# Of glibc's malloc.h.
M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3
# Bytes of one tensor; larger ones, as in a replay memory, go back at once. Before 2.35 glibc takes
# at most the second.
LARGEST_KEPT = 64 << 20, 32 << 20
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
    # Both or none: setting one ends glibc's own adjustment of the other.
    accepted = any(mallopt(M_MMAP_THRESHOLD, size) == 1 for size in LARGEST_KEPT)
    return accepted and mallopt(M_TRIM_THRESHOLD, MOST_KEPT) == 1
