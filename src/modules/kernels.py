"""Wide layers and recurrences, multiplied by the library that is fastest on this processor.

The GRU goes over whole episodes, given the weights of a `GRUCell`: only the slots an episode has.
Rows are laid slot by slot, within a slot the longest episodes first. So the rows that go on are
always the first ones of the slot before, and nobody computes padding.

On the CPU this is faster than `torch.gru`, which takes a backward pass through some twenty small
operations a slot. Here a slot takes six forward and three backward, which copy and allocate
nothing, and the weights get their gradient from all slots at once.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from types import SimpleNamespace
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable
from torch.nn import functional as F

from modules.processor import onednn_is_faster

# oneDNN translates a product anew for each number of rows, which takes as long as many products.
# So it gets round numbers alone, of which few are met, or layers that always see the same number.
ROUND = 64


def suits_onednn(x: Tensor, of_one_size: bool = False) -> bool:
    """Whether rows x (rows, inputs) are to go through oneDNN."""
    rows = len(x)
    return (
        rows >= ROUND  # below, both libraries take as long
        and (of_one_size or rows % ROUND == 0)
        and x.dtype == torch.float32
        and x.device.type == "cpu"
        and onednn_is_faster()
    )


def linear(x: Tensor, weight: Tensor, bias: Tensor | None, of_one_size: bool = False) -> Tensor:
    """`F.linear`: x (..., inputs), weight (outputs, inputs) -> (..., outputs)"""
    rows = x.flatten(0, -2) if x.ndim > 1 else x
    if x.ndim == 1 or not suits_onednn(rows, of_one_size):
        return F.linear(x, weight, bias)
    made = _Product.apply(rows, weight, bias)
    # Of rows no view is made: what is done to one in place costs copies in the backward pass.
    return made if x.ndim == 2 else made.unflatten(0, x.shape[:-1])


def plus_linear(base: Tensor, x: Tensor, weight: Tensor) -> Tensor:
    """base (rows, outputs) + x W', for x (rows, inputs)"""
    if suits_onednn(x):
        return base + linear(x, weight, None)
    return torch.addmm(base, x, weight.t())


class Dense(nn.Linear):
    """`nn.Linear` by `linear`."""

    of_one_size = False  # whether it always sees the same number of rows, while it learns

    def forward(self, input: Tensor) -> Tensor:
        """(..., inputs) -> (..., outputs)"""
        return linear(input, self.weight, self.bias, self.of_one_size)


def dense(n_inputs: int, n_outputs: int, args: SimpleNamespace) -> Dense:
    """A layer for a learner with these settings; batches of transitions are all of one size."""
    layer = Dense(n_inputs, n_outputs)
    layer.of_one_size = getattr(args, "runner_scope", "") == "transition"  # PyMARL has no scopes
    return layer


def all_of_same(networks: Sequence[nn.Module], x: Tensor) -> list[Tensor]:
    """What each network, a layer or a sequence of them, makes of x; first layers in one product."""
    layers: list[Any] = [list(network.children()) or [network] for network in networks]
    weight = torch.cat([first.weight for first, *_ in layers])
    bias = torch.cat([first.bias for first, *_ in layers])
    made = linear(x, weight, bias).split([len(first.bias) for first, *_ in layers], dim=-1)
    answers = []
    for (_, *later), answer in zip(layers, made, strict=True):
        for layer in later:
            answer = layer(answer)
        answers.append(answer)
    return answers


def given_first_inputs(layers: Sequence[nn.Linear], known: Tensor) -> Callable[[Tensor], Tensor]:
    """Three layers with ReLUs between, whose first inputs are `known` (..., O): multiplied once.

    The function returned takes the other inputs (..., A) to the one output (...).
    """
    first, second, third = layers
    rows, O = known.flatten(0, -2), known.shape[-1]
    of_known = linear(rows, first.weight[:, :O], first.bias)  # (rows, H)
    of_others = first.weight[:, O:]

    def output(others: Tensor) -> Tensor:
        x = plus_linear(of_known, others.flatten(0, -2), of_others).relu_()
        return third(second(x).relu_()).reshape(others.shape[:-1])

    return output


class _Product(torch.autograd.Function):
    """x W' + b"""

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        """x (rows, inputs), weight (outputs, inputs) -> (rows, outputs)"""
        ctx.save_for_backward(x, weight)
        return by_onednn(x, weight, bias)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, d_y: Tensor) -> tuple[Tensor | None, ...]:
        x, weight = ctx.saved_tensors
        for_x, for_weight, for_bias = ctx.needs_input_grad
        return (
            times(d_y, weight, True) if for_x else None,
            over_rows(d_y, x, True) if for_weight else None,
            d_y.sum(0) if for_bias else None,
        )


def by_onednn(a: Tensor, b: Tensor, bias: Tensor | None = None) -> Tensor:
    """a (n, k), b (m, k) -> a b' + bias (n, m)"""
    return torch.ops.mkldnn._linear_pointwise(whole(a), whole(b), bias, "none", [], "")


def whole(matrix: Tensor) -> Tensor:
    """Itself, or a copy of what is a part of another: there oneDNN takes 100 times as long."""
    is_whole = matrix.is_contiguous() or matrix.t().is_contiguous()
    return matrix if is_whole else matrix.contiguous()


def times(a: Tensor, b: Tensor, onednn: bool) -> Tensor:
    """a (rows, n), b (n, m) -> a b (rows, m)"""
    return by_onednn(a, b.t()) if onednn else a @ b


def over_rows(a: Tensor, b: Tensor, onednn: bool) -> Tensor:
    """a (rows, n), b (rows, m) -> a' b (n, m). oneDNN wants the smaller number first."""
    if not onednn:
        return a.t() @ b
    a, b = a.t(), b.t()
    return by_onednn(a, b) if len(a) <= len(b) else by_onednn(b, a).t()


# ---------------------------------------------------------------- recurrence

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
    weights = cell.weight_ih, cell.weight_hh, cell.bias_ih, cell.bias_hh
    if x.is_cuda:
        return _cudnn(x, weights, training, start)
    if running is None:
        B, T = x.shape[:2]
        rows = x.transpose(0, 1).reshape(T * B * N, -1)
        hidden = _Recurrence.apply(rows, *weights, start, [B * N] * T)
        return hidden.reshape(T, B, N, -1).transpose(0, 1)
    hidden = _Recurrence.apply(x.flatten(0, 2), *weights, start, [n * N for n in running])
    return hidden.reshape(*x.shape[:3], -1)


def _cudnn(x: Tensor, weights: Sequence[Tensor], training: bool, start: Tensor) -> Tensor:
    """x (B, T, N, F), start (B * N, H) -> (B, T, N, H)"""
    B, T, N, _ = x.shape
    x = x.transpose(1, 2).reshape(B * N, T, -1)
    # biases, layers, dropout, training, bidirectional, batch first
    hidden, _ = torch.gru(x, start.unsqueeze(0), list(weights), True, 1, 0.0, training, False, True)
    return hidden.reshape(B, N, T, -1).transpose(1, 2)


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
    ) -> Tensor:
        """x (rows, F), start (sizes[0], H), the rest as in `GRUCell` -> h' (rows, H)"""
        H = of_hidden.shape[1]
        to_input, to_hidden, bias = for_sigmoids(of_input, of_hidden, input_bias, hidden_bias)
        if suits_onednn(x):  # which writes nothing but whole matrices
            parts = by_onednn(x, F.pad(to_input, (0, 0, 0, H)), bias)  # (rows, 4H)
        else:
            parts = x.new_empty(len(x), 4 * H)
            torch.addmm(bias[: 3 * H], x, to_input.t(), out=parts[:, : 3 * H])
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
        ctx.sizes, ctx.moves = sizes, None
        return hidden

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, d_hidden: Tensor) -> tuple[Tensor | None, ...]:
        x, of_input, of_hidden, parts, hidden, start = ctx.saved_tensors
        H, sizes = of_hidden.shape[1], ctx.sizes
        if ctx.moves is None:  # K levels come back through one graph
            ctx.moves = moves_of(parts, before(hidden, start, sizes))
        moves = ctx.moves
        total = d_hidden.clone()  # of a slot itself, and what comes back from the slots after it
        d_parts = torch.empty_like(parts)  # (rows, 4H)
        d_parts[sum(sizes) :] = 0
        each = (
            total,
            d_parts.unflatten(1, (4, H)),
            d_parts[:, H:],
            moves.by_parts,
            moves.by_before,
        )
        nobody_asks = total.new_empty(sizes[0], H)  # for the gradient of the start
        earlier = [nobody_asks, *slots(total, sizes)]
        backwards = (reversed(slots(part, sizes)) for part in each)
        for size, d_h, d_each, d_of_h, by_parts, by_before, d_before in zip(
            reversed(sizes), *backwards, reversed(earlier[:-1]), strict=True
        ):
            torch.mul(d_h.unsqueeze(1), by_parts, out=d_each)
            d_before[:size].addcmul_(d_h, by_before).addmm_(d_of_h, of_hidden)
        d_of_x, d_of_h, d_bias = d_parts[:, : 3 * H], d_parts[:, H:], d_parts.sum(0)
        to_input, fast = of_input.roll(H, 0), suits_onednn(x)
        if fast:  # for whole matrices alone, so with the part that has nothing to do with it
            d_of_x = d_of_h = d_parts
            to_input = F.pad(to_input, (0, 0, 0, H))
        return (
            times(d_of_x, to_input, fast) if ctx.needs_input_grad[0] else None,
            over_rows(d_of_x, x, fast)[: 3 * H].roll(-H, 0),
            over_rows(d_of_h, moves.before, fast)[-3 * H :],
            d_bias[: 3 * H].roll(-H),
            d_bias[H:],
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
    before: Tensor  # that state


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
    return Moves(by_parts, z, h)


def before(hidden: Tensor, start: Tensor, sizes: list[int]) -> Tensor:
    """Each row's hidden state in the slot before. (rows, H)"""
    went_on = [slot[:size] for slot, size in zip(slots(hidden, sizes), sizes[1:], strict=False)]
    return torch.cat([start, *went_on, hidden[sum(sizes) :]])


def slots(rows: Tensor, sizes: list[int]) -> tuple[Tensor, ...]:
    """The rows of each slot, without those after the last."""
    return rows[: sum(sizes)].split(sizes)
