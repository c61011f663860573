"""Layers by another library are the same layers."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from modules import dense
from tests.make import make_args


def test_which_layer_is_built(monkeypatch: pytest.MonkeyPatch) -> None:
    episodes, transitions = (make_args(runner_scope=s) for s in ("episodic", "transition"))

    for faster, kinds in ((True, [nn.Linear, dense.OneDNNLinear]), (False, [nn.Linear] * 2)):
        monkeypatch.setattr(dense, "onednn_is_faster", lambda faster=faster: faster)
        assert [type(dense.dense(3, 4, args)) for args in (episodes, transitions)] == kinds


@pytest.mark.skipif(
    not hasattr(torch.ops.mkldnn, "_linear_pointwise"), reason="this torch is without oneDNN"
)
@pytest.mark.parametrize("shape", [(100, 2, 8), (3, 8)])
def test_it_equals_torch_and_so_do_its_gradients(shape: tuple[int, ...]) -> None:
    torch.manual_seed(0)
    plain, ours = nn.Linear(8, 16), dense.OneDNNLinear(8, 16)
    ours.load_state_dict(plain.state_dict())
    x, weight = torch.randn(shape, requires_grad=True), torch.randn(*shape[:-1], 16)

    wanted, found = (
        (layer(x), *torch.autograd.grad((layer(x) * weight).sum(), [x, *layer.parameters()]))
        for layer in (plain, ours)
    )

    for got, expected in zip(found, wanted, strict=True):
        torch.testing.assert_close(got, expected, rtol=1e-5, atol=1e-5)
