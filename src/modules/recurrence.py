"""The GRU over whole episodes, given the weights of a `GRUCell`: only the slots an episode has.

Rows are laid slot by slot, within a slot the longest episodes first. So the rows that go on are
always the first ones of the slot before, and nobody computes padding.

On the CPU this is faster than `torch.gru`, which takes a backward pass through some twenty small
operations a slot. Here a slot takes six forward and three backward, which copy and allocate
nothing, and the weights get their gradient from all slots at once.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple, Protocol

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from modules.products import Products

BLOCK = 1 << 15  # numbers of a part that is gone through at a time


class Recurrence(Protocol):
    """A way through the slots of episodes."""

    @property
    def name(self) -> str: ...

    def __call__(
        self,
        x: Tensor,
        weights: Sequence[Tensor],
        start: Tensor,
        sizes: list[int],
        products: Products,
    ) -> Tensor:
        """Hidden states (rows, H) of rows x (rows, F), of which each slot has `sizes`.

        `weights` are those of a `GRUCell`, then its biases; start (sizes[0], H) is constant. Rows
        after the last slot get zeros.
        """


@dataclass(frozen=True)
class BySlots:
    """By torch's operations, a few for each slot."""

    name: ClassVar[str] = "slot by slot"

    def __call__(
        self,
        x: Tensor,
        weights: Sequence[Tensor],
        start: Tensor,
        sizes: list[int],
        products: Products,
    ) -> Tensor:
        hidden: Tensor = _Recurrence.apply(x, *weights, start, sizes, products)
        return hidden


class _Recurrence(torch.autograd.Function):
    """r, z = sigmoid(V_rz x + W_rz h);  n = tanh(V_n x + r (W_n h));  h' = n + z (h - n).

    All with biases. A row has four parts side by side, n, r, z and W_n h: the first three hear of
    x, the last three of h, so that either is one matrix product.
    """

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
        products: Products,
    ) -> Tensor:
        """x (rows, F), start (sizes[0], H), the rest as in `GRUCell` -> h' (rows, H)"""
        H = of_hidden.shape[1]
        to_input, to_hidden, bias = for_sigmoids(of_input, of_hidden, input_bias, hidden_bias)
        parts = x.new_empty(len(x), 4 * H)
        products.fill(parts[:, : 3 * H], x, to_input, bias[: 3 * H])
        parts[:, 3 * H :] = bias[3 * H :]
        hidden, one, to_hidden = x.new_empty(len(x), H), x.new_ones(()), to_hidden.t()
        hidden[sum(sizes) :] = 0
        n, r, z, recalled = parts.split(H, dim=1)
        each = (parts[:, H:], parts[:, H : 3 * H], n, r, z, recalled, hidden)
        h = start
        for size, of_h, gates, n_, r_, z_, recalled_, here in zip(
            sizes, *(slots(part, sizes) for part in each), strict=True
        ):
            h = h[:size]
            of_h.addmm_(h, to_hidden)
            gates.sigmoid_()
            n_.addcmul_(r_, recalled_).sigmoid_()
            torch.add(one, n_, alpha=-2, out=n_)
            h = torch.lerp(n_, h, z_, out=here)
        ctx.save_for_backward(x, of_input, of_hidden, parts, hidden, start)
        ctx.sizes, ctx.products, ctx.moves = sizes, products, {}
        return hidden

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, d_hidden: Tensor) -> tuple[Tensor | None, ...]:
        x, of_input, of_hidden, parts, hidden, start = ctx.saved_tensors
        H, sizes, products = of_hidden.shape[1], ctx.sizes, ctx.products
        earlier = before(hidden, start, sizes)
        total = d_hidden.clone()  # of a slot itself, and what comes back from the slots after it
        d_parts = torch.empty_like(parts)  # (rows, 4H)
        d_parts[sum(sizes) :] = 0
        nobody_asks = total.new_empty(sizes[0], H)  # for the gradient of the start
        d_slots = [nobody_asks, *slots(total, sizes)]
        for first, last, rows in reversed(blocks(sizes, H)):
            moves = ctx.moves.get(first) or moves_of(parts[rows], earlier[rows])
            if kept_graph():  # K levels come back through it
                ctx.moves[first] = moves
            here = d_parts[rows]
            each = total[rows], here.unflatten(1, (4, H)), here[:, H:], *moves
            backwards = (reversed(slots(part, sizes[first:last])) for part in each)
            for size, d_h, d_each, d_of_h, by_parts, by_before, d_before in zip(
                reversed(sizes[first:last]), *backwards, reversed(d_slots[first:last]), strict=True
            ):
                torch.mul(d_h.unsqueeze(1), by_parts, out=d_each)
                d_before[:size].addcmul_(d_h, by_before).addmm_(d_of_h, of_hidden)
        d_of_x, d_of_h, d_bias = d_parts[:, : 3 * H], d_parts[:, H:], d_parts.sum(0)
        return (
            products.times(d_of_x, of_input.roll(H, 0)) if ctx.needs_input_grad[0] else None,
            products.over_rows(d_of_x, x).roll(-H, 0),
            products.over_rows(d_of_h, earlier),
            d_bias[: 3 * H].roll(-H),
            d_bias[H:],
            None,
            None,
            None,
        )


def for_sigmoids(
    of_input: Tensor, of_hidden: Tensor, input_bias: Tensor, hidden_bias: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    """Weights that make -2 a where n is tanh(a), and one bias for all four parts.

    tanh(a) = 1 - 2 sigmoid(-2 a), and here a tanh takes ten times as long as a sigmoid.
    """
    H = of_hidden.shape[1]
    to_input, to_hidden = of_input.roll(H, 0), of_hidden.clone()  # n, r, z;  r, z, W_n h
    bias = torch.cat([input_bias.roll(H), hidden_bias[2 * H :]])  # (4H,)
    bias[H : 3 * H] += hidden_bias[: 2 * H]
    for scaled in (to_input[:H], to_hidden[2 * H :], bias[:H], bias[3 * H :]):
        scaled.mul_(-2)
    return to_input, to_hidden, bias


class Moves(NamedTuple):
    """How what a row consists of moves with its new hidden state."""

    by_parts: Tensor  # with n, r, z and W_n h, before their activations: (rows, 4, H)
    by_before: Tensor  # with the state before, by itself: (rows, H)


def moves_of(parts: Tensor, h: Tensor) -> Moves:
    """parts (rows, 4H) with -2 W_n h; h is the state before (rows, H)."""
    H = h.shape[1]
    n, r, z, recalled = parts.split(H, dim=1)
    by_parts = parts.new_empty(len(h), 4, H)
    by_n, by_r, by_z, by_recalled = by_parts.unbind(1)
    slope = torch.addcmul(parts.new_ones(()), n, n, value=-1)  # 1 - n^2
    torch.addcmul(slope, slope, z, value=-1, out=by_n)
    torch.mul(by_n, r, out=by_recalled)
    along_r = by_recalled * recalled * -0.5
    torch.addcmul(along_r, along_r, r, value=-1, out=by_r)
    along_z = (h - n) * z
    torch.addcmul(along_z, along_z, z, value=-1, out=by_z)
    return Moves(by_parts, z)


def blocks(sizes: list[int], width: int) -> list[tuple[int, int, slice]]:
    """First and last slot, and the rows, of blocks whose gradients are computed in the cache."""
    found, first, begin, end = [], 0, 0, 0
    for t, size in enumerate(sizes):
        end += size
        if (end - begin) * width >= BLOCK or t + 1 == len(sizes):
            found.append((first, t + 1, slice(begin, end)))
            first, begin = t + 1, end
    return found


def kept_graph() -> bool:
    """Whether the backward pass that runs may not be the last one through its graph."""
    return torch._C._autograd._get_current_graph_task_keep_graph()


def before(hidden: Tensor, start: Tensor, sizes: list[int]) -> Tensor:
    """Each row's hidden state in the slot before. (rows, H)"""
    went_on = [slot[:size] for slot, size in zip(slots(hidden, sizes), sizes[1:], strict=False)]
    return torch.cat([start, *went_on, hidden[sum(sizes) :]])


def slots(rows: Tensor, sizes: list[int]) -> tuple[Tensor, ...]:
    """The rows of each slot, without those after the last."""
    return rows[: sum(sizes)].split(sizes)
