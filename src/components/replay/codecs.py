"""How the value of one field at one step is written down: exactly, in as few bytes as it needs."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from utils.errors import UserError

Array = np.ndarray
Shape = tuple[int, ...]

# Tensors of a dtype that numpy lacks travel as integers of the same size.
STAND_INS = {torch.bfloat16: torch.int16}


def as_array(tensor: Tensor) -> Array:
    """The tensor's memory as a numpy array (a copy only if it lives on a GPU)."""
    tensor = tensor.detach().cpu()
    return tensor.view(STAND_INS.get(tensor.dtype, tensor.dtype)).numpy()


def as_tensor(array: Array, dtype: torch.dtype) -> Tensor:
    """The array's memory as a tensor of `dtype`, which is what `as_array` was given."""
    return torch.from_numpy(array).view(dtype)


def numpy_dtype(dtype: torch.dtype) -> np.dtype:
    """The dtype of what `as_array` returns."""
    return torch.empty(0, dtype=STAND_INS.get(dtype, dtype)).numpy().dtype


class Exact:
    """Stored as given."""

    def __init__(self, shape: Shape, dtype: np.dtype) -> None:
        self.shape, self.dtype = shape, dtype

    def encode(self, values: Array) -> Array:
        return values

    def decode(self, stored: Array) -> Array:
        return stored


class Bits:
    """Zeros and ones, eight to a byte along the last axis."""

    dtype = np.dtype(np.uint8)

    def __init__(self, key: str, shape: Shape, dtype: np.dtype) -> None:
        self.key, self.width, self.given = key, shape[-1], dtype
        self.shape = (*shape[:-1], -(-shape[-1] // 8))

    def encode(self, values: Array) -> Array:
        _check_range(self.key, values, 1)
        return np.packbits(values, axis=-1)

    def decode(self, stored: Array) -> Array:
        return np.unpackbits(stored, axis=-1, count=self.width).astype(self.given)


class Narrow:
    """Integers from 0 to `largest`, in the narrowest unsigned type that holds them."""

    def __init__(self, key: str, shape: Shape, dtype: np.dtype, largest: int) -> None:
        self.key, self.shape, self.given = key, shape, dtype
        self.dtype = np.min_scalar_type(largest)

    def encode(self, values: Array) -> Array:
        _check_range(self.key, values, np.iinfo(self.dtype).max)
        return values.astype(self.dtype)

    def decode(self, stored: Array) -> Array:
        return stored.astype(self.given)


Codec = Exact | Bits | Narrow


def codec_for(key: str, shape: Shape, dtype: torch.dtype, n_actions: int | None) -> Codec:
    """The encoding of field `key`: `avail_actions` and `actions` are known to be small numbers."""
    given = numpy_dtype(dtype)
    if key == "avail_actions" and given.kind in "iub" and shape:
        return Bits(key, shape, given)
    if key == "actions" and given.kind in "iu" and n_actions is not None:
        return Narrow(key, shape, given, n_actions - 1)
    return Exact(shape, given)


def _check_range(key: str, values: Array, largest: int) -> None:
    """Refuse what the encoding could not give back; seen as unsigned, negatives are large."""
    unsigned: Array = values.view(f"u{values.dtype.itemsize}")
    if values.size and int(unsigned.max()) > largest:
        raise UserError(
            f"Replay stores '{key}' as whole numbers from 0 to {largest}, but was given "
            f"values from {values.min()} to {values.max()}."
        )
