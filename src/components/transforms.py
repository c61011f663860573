"""What the batch computes from a field as it is written: `preprocess` in PyMARL's sense."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from components.scheme import Scheme, VShape, field_dtype, unknown
from utils.errors import UserError
from utils.registry import UnknownNameError

FILLED = {"vshape": (1,), "dtype": torch.long}


class Transform:
    """A function of a tensor's last axes that knows the shape and dtype of its result.

    It must be a pure function: replay stores its input only and computes the output again.
    """

    def transform(self, tensor: Tensor) -> Tensor:
        raise NotImplementedError

    def infer_output_info(
        self, vshape_in: VShape, dtype_in: torch.dtype
    ) -> tuple[VShape, torch.dtype]:
        raise NotImplementedError


class OneHot(Transform):
    """Indices (..., 1) -> float one-hots (..., out_dim)."""

    def __init__(self, out_dim: int) -> None:
        self.out_dim = out_dim

    def transform(self, tensor: Tensor) -> Tensor:
        onehot = torch.zeros(*tensor.shape[:-1], self.out_dim, device=tensor.device)
        return onehot.scatter_(-1, tensor.long(), 1.0)

    def infer_output_info(
        self, vshape_in: VShape, dtype_in: torch.dtype
    ) -> tuple[VShape, torch.dtype]:
        return (self.out_dim,), torch.float32


Preprocess = Mapping[str, tuple[str, Sequence[Transform]]]  # field -> the one computed, and how


def transformed(transforms: Sequence[Transform], tensor: Tensor) -> Tensor:
    for transform in transforms:
        tensor = transform.transform(tensor)
    return tensor


def complete_scheme(scheme: Scheme, preprocess: Preprocess) -> Scheme:
    """`scheme` with the outputs of `preprocess` and the reserved field `filled`."""
    complete = dict(scheme)
    if complete.setdefault("filled", FILLED) != FILLED:
        raise UserError("'filled' is a reserved name: the batch marks its real steps with it.")
    for source, (output, transforms) in preprocess.items():
        if source not in scheme:
            raise UnknownNameError(unknown("source of a preprocess", source, scheme))
        info = {"vshape": scheme[source]["vshape"], "dtype": field_dtype(scheme[source])}
        for transform in transforms:
            shape, dtype = transform.infer_output_info(info["vshape"], info["dtype"])
            info = {"vshape": shape, "dtype": dtype}
        inherited = {k: v for k, v in scheme[source].items() if k in ("group", "episode_const")}
        complete[output] = {**inherited, **info}
    return complete
