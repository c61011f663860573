"""Whole episodes at once equal a cell that steps through them."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from components.minibatch import Slots, Steps
from modules import recurrence
from modules.gru import GRU

LENGTHS = [4, 7, 1, 7, 3]
B, T, N, F, H = len(LENGTHS), max(LENGTHS), 2, 3, 4


def make() -> tuple[GRU, Tensor]:
    torch.manual_seed(0)
    return GRU(F, H).double(), torch.randn(B, T, N, F, dtype=torch.double)


def stepped(cell: GRU, x: Tensor) -> Tensor:
    """(B, T, N, F) -> (B, T, N, H)"""
    hidden, hiddens = x.new_zeros(B * N, H), []
    for t in range(T):
        hidden = cell(x[:, t].flatten(0, 1), hidden)
        hiddens.append(hidden.reshape(B, N, H))
    return torch.stack(hiddens, dim=1)


def ragged() -> Slots:
    """Those of episodes that have LENGTHS slots, one more than steps."""
    mask = torch.tensor([[float(t < L - 1) for t in range(T - 1)] for L in LENGTHS])[..., None]
    return Slots(Steps(mask), mask)


@pytest.mark.parametrize("padded", [False, True])
def test_it_equals_the_cell_and_so_do_its_gradients(padded: bool) -> None:
    cell, x = make()
    x.requires_grad_()
    slots = ragged()
    weight = torch.randn(B, T, N, H, dtype=torch.double)
    if padded:
        whole = slots.take(stepped(cell, x)), cell.unroll(slots.take(x), slots.running)
        weight = slots.take(weight)
    else:
        whole = stepped(cell, x), cell.unroll(x)
    wanted, found = (
        (hidden, *torch.autograd.grad((hidden * weight).sum(), [x, *cell.parameters()]))
        for hidden in whole
    )

    for ours, theirs in zip(found, wanted, strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-12, atol=1e-12)


def test_its_gradient_is_that_of_finite_differences() -> None:
    cell, x = make()
    slots = ragged()
    rows = slots.take(x).requires_grad_()

    def unroll(rows: Tensor, *weights: Tensor) -> Tensor:
        return cell.unroll(rows, slots.running)

    assert torch.autograd.gradcheck(unroll, (rows, *cell.parameters()))


def test_gradients_in_blocks_are_those_of_all_slots_at_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """To the last bit, also when the graph is kept, as levels do."""
    cell, x = make()
    slots, found = ragged(), []
    for block in (1, 3 * N * H, 10**9):
        monkeypatch.setattr(recurrence, "BLOCK", block)
        assert len(recurrence.blocks([4, 3, 2, 1], 1)) == (4 if block == 1 else 1)
        rows = slots.take(x).requires_grad_()
        of = [rows, *cell.parameters()]
        loss = cell.unroll(rows, slots.running).square().sum()
        once = torch.autograd.grad(loss, of, retain_graph=True)
        again = torch.autograd.grad(loss, of)
        found.append(torch.cat([g.flatten() for g in (*once, *again)]))

    assert torch.equal(found[0], found[1])
    assert torch.equal(found[0], found[2])
