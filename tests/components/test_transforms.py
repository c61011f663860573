from __future__ import annotations

import torch

from components.transforms import OneHot


def test_onehot_replaces_the_last_axis() -> None:
    onehot = OneHot(out_dim=4).transform(torch.tensor([[[2], [0]]]))
    assert onehot.tolist() == [[[0, 0, 1, 0], [1, 0, 0, 0]]]
    assert onehot.dtype == torch.float32


def test_onehot_announces_its_shape_and_dtype() -> None:
    assert OneHot(out_dim=4).infer_output_info((1,), torch.long) == ((4,), torch.float32)
