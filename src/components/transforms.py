"""What the batch computes from a field as it is written: `preprocess` in PyMARL's sense."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor


class Transform:
    """A function of a tensor's last axes that knows the shape and dtype of its result.

    It must be a pure function: replay stores its input only and computes the output again.
    """

    def transform(self, tensor: Tensor) -> Tensor:
        raise NotImplementedError

    def infer_output_info(self, vshape_in: Any, dtype_in: torch.dtype) -> tuple[Any, torch.dtype]:
        raise NotImplementedError


class OneHot(Transform):
    """Indices (..., 1) -> float one-hots (..., out_dim)."""

    def __init__(self, out_dim: int) -> None:
        self.out_dim = out_dim

    def transform(self, tensor: Tensor) -> Tensor:
        onehot = torch.zeros(*tensor.shape[:-1], self.out_dim, device=tensor.device)
        return onehot.scatter_(-1, tensor.long(), 1.0)

    def infer_output_info(self, vshape_in: Any, dtype_in: torch.dtype) -> tuple[Any, torch.dtype]:
        return (self.out_dim,), torch.float32
