"""A GRU over whole episodes, given the weights of a `GRUCell`: only the slots an episode has.

Rows are laid slot by slot, within a slot the longest episodes first. So the rows that go on are
always the first ones of the slot before, and nobody computes padding.

On the CPU this is faster than `torch.gru`, which takes a backward pass through some twenty small
operations a slot; here it is seven, and weights get their gradient from all slots at once.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import accumulate
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable
from torch.nn import functional as F

Running = list[int] | None  # episodes that reach each slot; None: all of them


def unroll_gru(
    cell: nn.GRUCell, x: Tensor, running: Running, training: bool, start: Tensor | None = None
) -> Tensor:
    """Hidden states, shaped as x, from `start` (B, N, H), which is constant, or from zeros.

    x (B, T, N, F): B episodes of T slots; or (1, n, N, F) with `running` episodes at each slot,
    in the order of `components.steps`, as then are those of `start`.
    """
    N = x.shape[2]
    episodes = x.shape[0] if running is None else running[0]
    size = (episodes * N, cell.hidden_size)
    start = x.new_zeros(size) if start is None else start.reshape(size)
    if x.is_cuda:
        return _cudnn(cell, x, training, start)
    if running is None:
        B, T = x.shape[:2]
        rows = x.transpose(0, 1).reshape(T * B * N, -1)
        hidden = _unroll_rows(cell, rows, [B * N] * T, start)
        return hidden.reshape(T, B, N, -1).transpose(0, 1)
    hidden = _unroll_rows(cell, x.flatten(0, 2), [n * N for n in running], start)
    return hidden.reshape(*x.shape[:3], -1)


def _cudnn(cell: nn.GRUCell, x: Tensor, training: bool, start: Tensor) -> Tensor:
    """x (B, T, N, F), start (B * N, H) -> (B, T, N, H)"""
    B, T, N, _ = x.shape
    x = x.transpose(1, 2).reshape(B * N, T, -1)
    weights = [cell.weight_ih, cell.weight_hh, cell.bias_ih, cell.bias_hh]
    # biases, layers, dropout, training, bidirectional, batch first
    hidden, _ = torch.gru(x, start.unsqueeze(0), weights, True, 1, 0.0, training, False, True)
    return hidden.reshape(B, N, T, -1).transpose(1, 2)


def _unroll_rows(cell: nn.GRUCell, x: Tensor, sizes: list[int], start: Tensor) -> Tensor:
    """x (rows, F), `sizes` rows in each slot, start (sizes[0], H) -> (rows, H)"""
    H = cell.hidden_size
    # Within the gates r and z the two biases only ever appear as a sum.
    bias = cell.bias_ih + F.pad(cell.bias_hh[: 2 * H], (0, H))
    from_inputs = F.linear(x, cell.weight_ih, bias)  # (rows, 3H)
    return _Recurrence.apply(from_inputs, cell.weight_hh, cell.bias_hh[2 * H :], start, sizes)


class _Recurrence(torch.autograd.Function):
    """r, z = sigmoid(x_rz + W_rz h);  n = tanh(x_n + r (W_n h + b));  h' = n + z (h - n)."""

    @staticmethod
    def forward(
        ctx: Any, x: Tensor, weight: Tensor, bias: Tensor, start: Tensor, sizes: list[int]
    ) -> Tensor:
        """x (rows, 3H) in the order r, z, n; start (sizes[0], H) -> h' (rows, H)"""
        rows, H = x.shape[0], weight.shape[1]
        rz, recalled = x.new_empty(rows, 2 * H), x.new_empty(rows, H)
        n, hidden = torch.empty_like(recalled), torch.empty_like(recalled)
        h = start
        to_rz, to_n = weight[: 2 * H].t(), weight[2 * H :].t()
        for here in slots(sizes):
            h = h[: here.stop - here.start]
            now, z = rz[here], rz[here, H:]
            torch.addmm(x[here, : 2 * H], h, to_rz, out=now).sigmoid_()
            torch.addmm(bias, h, to_n, out=recalled[here])
            torch.addcmul(x[here, 2 * H :], now[:, :H], recalled[here], out=n[here]).tanh_()
            h = torch.lerp(n[here], h, z, out=hidden[here])
        ctx.save_for_backward(weight, rz, recalled, n, hidden, start)
        ctx.sizes, ctx.moves = sizes, None
        return hidden

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, d_hidden: Tensor) -> tuple[Tensor, Tensor, Tensor, None, None]:
        weight, *kept = ctx.saved_tensors
        if ctx.moves is None:  # K levels come back through one graph
            rz, recalled, n, hidden, start = kept
            ctx.moves = moves_of(rz, recalled, n, before(hidden, start, ctx.sizes))
        moves, H = ctx.moves, weight.shape[1]
        d_recurrent = torch.empty_like(moves.by_recurrent)  # (rows, 3, H)
        total = d_hidden.clone()  # of a slot itself, and what comes back from the slots after it
        come_back = total.new_zeros(0, H)
        for here in reversed(list(slots(ctx.sizes))):
            d_h = total[here]
            d_h[: len(come_back)] += come_back
            each = torch.mul(d_h.unsqueeze(1), moves.by_recurrent[here], out=d_recurrent[here])
            come_back = torch.addmm(d_h * moves.by_before[here], each.flatten(1), weight)
        d_recurrent = d_recurrent.flatten(1)  # (rows, 3H)
        d_x = torch.cat([d_recurrent[:, : 2 * H], total * moves.by_n], dim=1)
        return d_x, d_recurrent.t() @ moves.before, d_recurrent[:, 2 * H :].sum(0), None, None


class Moves(NamedTuple):
    """How each row's new hidden state moves with what enters it."""

    by_n: Tensor  # (rows, H)
    by_recurrent: Tensor  # with what r, z and n get from the state before: (rows, 3, H)
    by_before: Tensor  # with the state before, by itself
    before: Tensor  # that state


def moves_of(rz: Tensor, recalled: Tensor, n: Tensor, h: Tensor) -> Moves:
    """h is the state before; all (rows, H), but rz (rows, 2H)."""
    r, z = (gate.contiguous() for gate in rz.chunk(2, dim=1))
    by_n = (1 - z) * (1 - n * n)
    by_recalled = by_n * r
    by_r, by_z = by_recalled * recalled * (1 - r), (h - n) * z * (1 - z)
    return Moves(by_n, torch.stack([by_r, by_z, by_recalled], dim=1), z, h)


def slots(sizes: list[int]) -> Iterator[slice]:
    """The rows of each slot."""
    for size, end in zip(sizes, accumulate(sizes), strict=True):
        yield slice(end - size, end)


def before(hidden: Tensor, start: Tensor, sizes: list[int]) -> Tensor:
    """Each row's hidden state in the slot before. (rows, H)"""
    each = torch.tensor(sizes)
    came_from = torch.arange(sizes[0], len(hidden)) - each[:-1].repeat_interleave(each[1:])
    return torch.cat([start, hidden[came_from]])
