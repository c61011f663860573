"""Numpy arrays in memory that the main process and its workers see alike."""

from __future__ import annotations

import contextlib
from multiprocessing.shared_memory import SharedMemory

import numpy as np

from envs.vector.rows import Fields

ALIGNMENT = 64  # bytes; a cache line


class SharedArrays:
    """One block of shared memory, cut into named arrays."""

    def __init__(self, fields: Fields, name: str | None = None) -> None:
        """Create the block, or attach to the one called `name`."""
        places, size = _layout(fields)
        self._memory = SharedMemory(name=name, create=name is None, size=size)
        self._owner = name is None
        self.name = self._memory.name
        self.arrays = {
            key: np.ndarray(shape, dtype, buffer=self._memory.buf, offset=places[key])
            for key, (shape, dtype) in fields.items()
        }

    def close(self) -> None:
        """Let go; the creator also frees the memory."""
        self.arrays.clear()
        with contextlib.suppress(BufferError):  # someone still holds an array: freed at exit
            self._memory.close()
        if self._owner:
            self._memory.unlink()


def _layout(fields: Fields) -> tuple[dict[str, int], int]:
    places, end = {}, 0
    for key, (shape, dtype) in fields.items():
        places[key] = end
        n_bytes = int(np.prod(shape)) * np.dtype(dtype).itemsize
        end += -(-n_bytes // ALIGNMENT) * ALIGNMENT
    return places, max(end, 1)
