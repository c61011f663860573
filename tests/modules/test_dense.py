"""Layers by another library are the same layers."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from components import minibatch
from modules import kernels
from modules.kernels import unroll_gru
from tests.make import make_args

needs_onednn = pytest.mark.skipif(
    not hasattr(torch.ops.mkldnn, "_linear_pointwise"), reason="this torch is without oneDNN"
)


@pytest.fixture
def faster(monkeypatch: pytest.MonkeyPatch) -> None:
    """A processor on which oneDNN is the faster one."""
    for module in (kernels, minibatch):
        monkeypatch.setattr(module, "onednn_is_faster", lambda: True)


@pytest.mark.usefixtures("faster")
@pytest.mark.parametrize(
    ("rows", "episodes", "transitions"),
    [(63, False, False), (64, True, True), (200, False, True), (320, True, True)],
)
def test_which_numbers_of_rows_go_through_onednn(
    rows: int, episodes: bool, transitions: bool
) -> None:
    for scope, suits in (("episodic", episodes), ("transition", transitions)):
        layer = kernels.dense(3, 4, make_args(runner_scope=scope))
        assert kernels.suits_onednn(torch.zeros(rows, 3), layer.of_one_size) == suits
    assert not kernels.suits_onednn(torch.zeros(rows, 3, dtype=torch.double))


def test_elsewhere_nothing_changes(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (kernels, minibatch):
        monkeypatch.setattr(module, "onednn_is_faster", lambda: False)

    assert minibatch.rounded_up(1000) == 1000
    assert not kernels.suits_onednn(torch.zeros(640, 3))


@pytest.mark.usefixtures("faster")
def test_round_numbers_are_few_and_little_is_added() -> None:
    rounded = {n: minibatch.rounded_up(n) for n in range(1024, 8192)}

    assert len(set(rounded.values())) == 3 * 16 + 1
    assert all(n <= more <= n * 17 / 16 and more % 64 == 0 for n, more in rounded.items())
    assert minibatch.rounded_up(511) == 511


@needs_onednn
@pytest.mark.usefixtures("faster")
@pytest.mark.parametrize("shape", [(64, 2, 8), (3, 8)])
def test_it_equals_torch_and_so_do_its_gradients(shape: tuple[int, ...]) -> None:
    torch.manual_seed(0)
    plain, ours = nn.Linear(8, 16), kernels.Dense(8, 16)
    ours.load_state_dict(plain.state_dict())
    x, weight = torch.randn(shape, requires_grad=True), torch.randn(*shape[:-1], 16)

    wanted, found = (
        (layer(x), *torch.autograd.grad((layer(x) * weight).sum(), [x, *layer.parameters()]))
        for layer in (plain, ours)
    )

    for got, expected in zip(found, wanted, strict=True):
        torch.testing.assert_close(got, expected, rtol=1e-5, atol=1e-5)


@needs_onednn
def test_a_recurrence_of_many_rows_is_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    torch.manual_seed(0)
    cell, running = nn.GRUCell(5, 8), [40, 30, 20]
    x = torch.randn(1, 96, 2, 5, requires_grad=True)  # 6 rows after the last slot
    weight = torch.randn(1, 96, 2, 8)
    weight[:, sum(running) :] = 0

    def hidden_and_gradients(faster: bool) -> list[torch.Tensor]:
        monkeypatch.setattr(kernels, "onednn_is_faster", lambda: faster)
        hidden = unroll_gru(cell, x, running, True)
        return [hidden, *torch.autograd.grad((hidden * weight).sum(), [x, *cell.parameters()])]

    found, wanted = hidden_and_gradients(True), hidden_and_gradients(False)
    assert (wanted[0][:, 90:] == 0).all()
    assert (wanted[1][:, 90:] == 0).all()
    for got, expected in zip(found, wanted, strict=True):
        torch.testing.assert_close(got, expected, rtol=1e-5, atol=1e-5)
