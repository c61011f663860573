"""Layers by another library are the same layers."""

from __future__ import annotations

import copy
import pickle

import pytest
import torch
from torch import nn

from modules.gru import GRU
from modules.kernels import PLAIN, Kernels, layers_made_with, of_new_layers
from modules.layers import Dense
from modules.products import OneDNNProducts, Products

ONEDNN = OneDNNProducts()

needs_onednn = pytest.mark.skipif(not OneDNNProducts.there(), reason="this torch is without oneDNN")


@pytest.mark.parametrize(
    ("rows", "suits", "suits_one_size"),
    [(63, False, False), (64, True, True), (200, False, True), (320, True, True)],
)
def test_which_numbers_of_rows_go_through_onednn(
    rows: int, suits: bool, suits_one_size: bool
) -> None:
    assert ONEDNN.suits(torch.zeros(rows, 3)) == suits
    assert OneDNNProducts(of_one_size=True).suits(torch.zeros(rows, 3)) == suits_one_size
    assert not ONEDNN.suits(torch.zeros(rows, 3, dtype=torch.double))


def test_round_numbers_are_few_and_little_is_added() -> None:
    rounded = {n: ONEDNN.rounded_up(n) for n in range(1024, 8192)}

    assert len(set(rounded.values())) == 3 * 16 + 1
    assert all(n <= more <= n * 17 / 16 and more % 64 == 0 for n, more in rounded.items())
    assert ONEDNN.rounded_up(511) == 511
    assert Products().rounded_up(1000) == 1000


def test_layers_keep_what_they_were_made_with_and_so_do_their_copies() -> None:
    with layers_made_with(Kernels(ONEDNN)):
        made = Dense(2, 3)
    later = Dense(2, 3)

    assert of_new_layers() == PLAIN == Kernels(later.products)
    assert made.products == ONEDNN
    assert copy.deepcopy(made).products == pickle.loads(pickle.dumps(made)).products == ONEDNN


@needs_onednn
@pytest.mark.parametrize("shape", [(64, 2, 8), (3, 8)])
def test_it_equals_torch_and_so_do_its_gradients(shape: tuple[int, ...]) -> None:
    torch.manual_seed(0)
    plain = nn.Linear(8, 16)
    with layers_made_with(Kernels(ONEDNN)):
        ours = Dense(8, 16)
    ours.load_state_dict(plain.state_dict())
    x, weight = torch.randn(shape, requires_grad=True), torch.randn(*shape[:-1], 16)

    wanted, found = (
        (layer(x), *torch.autograd.grad((layer(x) * weight).sum(), [x, *layer.parameters()]))
        for layer in (plain, ours)
    )

    for got, expected in zip(found, wanted, strict=True):
        torch.testing.assert_close(got, expected, rtol=1e-5, atol=1e-5)


@needs_onednn
def test_a_recurrence_of_many_rows_is_the_same() -> None:
    torch.manual_seed(0)
    weights, running = nn.GRUCell(5, 8).state_dict(), [40, 30, 20]
    x = torch.randn(1, 96, 2, 5, requires_grad=True)  # 6 rows after the last slot
    weight = torch.randn(1, 96, 2, 8)
    weight[:, sum(running) :] = 0

    def hidden_and_gradients(products: Products) -> list[torch.Tensor]:
        with layers_made_with(Kernels(products)):
            gru = GRU(5, 8)
        gru.load_state_dict(weights)
        hidden = gru.unroll(x, running)
        return [hidden, *torch.autograd.grad((hidden * weight).sum(), [x, *gru.parameters()])]

    found, wanted = hidden_and_gradients(ONEDNN), hidden_and_gradients(Products())
    assert (wanted[0][:, 90:] == 0).all()
    assert (wanted[1][:, 90:] == 0).all()
    for got, expected in zip(found, wanted, strict=True):
        torch.testing.assert_close(got, expected, rtol=1e-5, atol=1e-5)
