"""The GRU by `gru.cpp`, which walks blocks of rows through all slots while they are in the cache.

Compiled on the machine that runs it, so it is an accelerator that may be missing.
"""

from __future__ import annotations

import ctypes
import functools
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from machine.compiler import NotCompiledError, compiled
from modules.products import Products
from modules.recurrence import BySlots, Recurrence

SOURCE = Path(__file__).with_name("gru.cpp")
ROWS_OF_A_THREAD = 16  # at least; for fewer it does not pay to start one
TOLERANCE = 1e-5  # of numbers beyond 1 in proportion to the largest; it takes a tenth of that


@dataclass(frozen=True)
class CompiledGRU:
    """The functions of a compiled library; other types than float32 go by torch's operations."""

    name: ClassVar[str] = "compiled"
    library: Path

    def __call__(
        self,
        x: Tensor,
        weights: Sequence[Tensor],
        start: Tensor,
        sizes: list[int],
        products: Products,
    ) -> Tensor:
        if x.dtype != torch.float32:
            return BySlots()(x, weights, start, sizes, products)
        differentiated = torch.is_grad_enabled() and any(t.requires_grad for t in (x, *weights))
        hidden: Tensor = _Walk.apply(x, *weights, start, sizes, self.library, differentiated)
        return hidden


def compiled_gru(width: int, folder: Path | None) -> CompiledGRU:
    """Compiled, or found in `folder`, and compared with torch's for layers of that width.

    A NotCompiledError says why there is none.
    """
    gru = CompiledGRU(compiled(SOURCE, folder))
    try:
        load(gru.library)
    except OSError as error:
        raise NotCompiledError(f"the compiled library cannot be loaded ({error})") from error
    if not (apart := difference(gru, BySlots(), width)) <= TOLERANCE:
        raise NotCompiledError(f"what was compiled differs from torch's operations by {apart:.0e}")
    return gru


@functools.cache
def load(library: Path) -> ctypes.CDLL:
    return ctypes.CDLL(str(library))


class _Walk(torch.autograd.Function):
    """As `recurrence.BySlots`: the same function, and the same gradients."""

    @staticmethod
    def forward(
        ctx: Any,
        x: Tensor,
        of_input: Tensor,
        of_hidden: Tensor,
        input_bias: Tensor,
        hidden_bias: Tensor,
        start: Tensor,
        sizes: list[int],
        library: Path,
        differentiated: bool,
    ) -> Tensor:
        """x (rows, F), start (sizes[0], H), the rest as in `GRUCell` -> h' (rows, H)"""
        functions, H = load(library), of_hidden.shape[1]
        x, start = x.contiguous(), start.contiguous()
        weights = [t.contiguous() for t in (of_input, of_hidden)]
        biases = [t.contiguous() for t in (input_bias, hidden_bias)]
        vector = functions.gru_vector()
        hidden, parts = x.new_empty(len(x), H), None
        if differentiated:  # n, r, z, W_n h, each filled up to whole vectors
            parts = x.new_empty(sum(sizes), 4 * -(-H // vector) * vector)
        hidden[sum(sizes) :] = 0
        shape = _shape(sizes, x.shape[1], H)
        tensors = x, *weights, *biases, start
        functions.gru_forward(*_pointers(tensors), *shape, *_pointers((hidden, parts)))
        ctx.save_for_backward(x, *weights, start, hidden, parts)
        ctx.shape, ctx.functions, ctx.n_rows = shape, functions, sum(sizes)
        return hidden

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, d_hidden: Tensor) -> tuple[Tensor | None, ...]:
        *given, hidden, parts = ctx.saved_tensors
        x, of_input, of_hidden, _ = given
        d_x = torch.empty_like(x) if ctx.needs_input_grad[0] else None
        if d_x is not None:
            d_x[ctx.n_rows :] = 0
        d_weights = torch.zeros_like(of_input), torch.zeros_like(of_hidden)
        d_biases = [x.new_zeros(len(of_input)) for _ in range(2)]
        made = hidden, parts, d_hidden.contiguous(), d_x, *d_weights, *d_biases
        ctx.functions.gru_backward(*_pointers(given), *ctx.shape, *_pointers(made))
        return d_x, *d_weights, *d_biases, None, None, None, None


def _shape(sizes: list[int], n_inputs: int, width: int) -> tuple[Any, ...]:
    """As the functions want them: sizes, slots, F, H, threads."""
    rows = sizes[0] if sizes else 0
    threads = max(1, min(torch.get_num_threads(), rows // ROWS_OF_A_THREAD))
    numbers = map(ctypes.c_int64, (len(sizes), n_inputs, width, threads))
    return ((ctypes.c_int64 * len(sizes))(*sizes), *numbers)


def _pointers(tensors: Sequence[Tensor | None]) -> list[ctypes.c_void_p]:
    return [ctypes.c_void_p(None if t is None else t.data_ptr()) for t in tensors]


def difference(one: Recurrence, other: Recurrence, width: int) -> float:
    """The largest between their hidden states and gradients, on rows that end at other slots."""
    random = torch.Generator().manual_seed(0)
    sizes, rows = [7, 7, 5, 2], 23  # the last two belong to no slot

    def draw(*shape: int) -> Tensor:
        return torch.randn(shape, generator=random)

    x, start, d_hidden = draw(rows, width), draw(7, width), draw(rows, width)
    weights = [draw(3 * width, width) / width**0.5 for _ in range(2)]
    given = [t.requires_grad_() for t in (x, *weights, draw(3 * width), draw(3 * width))]

    def of(recurrence: Recurrence) -> list[Tensor]:
        with torch.enable_grad():
            hidden = recurrence(given[0], given[1:], start, sizes, Products())
            return [hidden.detach(), *torch.autograd.grad(hidden, given, d_hidden)]

    pairs = zip(of(one), of(other), strict=True)
    return max(float((a - b).abs().max() / b.abs().max().clamp_min(1)) for a, b in pairs)
