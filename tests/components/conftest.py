from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch

from components.episode_buffer import EpisodeBatch
from components.transforms import OneHot

N, S, OBS, A = 3, 7, 5, 11
GROUPS = {"agents": N}


@pytest.fixture
def scheme() -> dict[str, dict[str, Any]]:
    return {
        "state": {"vshape": S},
        "obs": {"vshape": OBS, "group": "agents"},
        "actions": {"vshape": (1,), "group": "agents", "dtype": torch.long},
        "avail_actions": {"vshape": (A,), "group": "agents", "dtype": torch.int},
        "reward": {"vshape": (1,)},
        "terminated": {"vshape": (1,), "dtype": torch.uint8},
    }


@pytest.fixture
def groups() -> dict[str, int]:
    return dict(GROUPS)


@pytest.fixture
def preprocess() -> dict[str, Any]:
    return {"actions": ("actions_onehot", [OneHot(out_dim=A)])}


def random_values(info: dict[str, Any], key: str, lead: tuple[int, ...], rng: Any) -> torch.Tensor:
    """Values of a field as it may hold them, zeros in between."""
    vshape = info["vshape"]
    shape = (vshape,) if isinstance(vshape, int) else tuple(vshape)
    shape = (*lead, *([N] if "group" in info else []), *shape)
    dtype = info.get("dtype", torch.float32)
    if dtype == torch.bool or key in ("avail_actions", "terminated"):
        return torch.from_numpy(rng.integers(0, 2, shape)).to(dtype)
    if dtype.is_floating_point:
        values = rng.standard_normal(shape) * rng.integers(0, 2, shape)
        return torch.from_numpy(values).to(dtype)
    return torch.from_numpy(rng.integers(0, A, shape)).to(dtype)


@pytest.fixture
def make_batch(
    scheme: dict[str, Any], groups: dict[str, int], preprocess: dict[str, Any]
) -> Callable[..., EpisodeBatch]:
    """make_batch(lengths, slots, seed) -> episodes of these lengths with random contents."""

    def make(
        lengths: list[int], slots: int, seed: int, own_scheme: dict[str, Any] | None = None
    ) -> EpisodeBatch:
        rng = np.random.default_rng(seed)
        used = own_scheme or scheme
        wanted = preprocess if "actions" in used else {}
        batch = EpisodeBatch(used, groups, len(lengths), slots, preprocess=wanted)
        for i, length in enumerate(lengths):
            for key, info in used.items():
                constant = info.get("episode_const", False)
                lead = (1,) if constant else (1, length)
                values = random_values(info, key, lead, rng)
                batch.update({key: values}, bs=i, ts=slice(0, length), mark_filled=not constant)
        return batch

    return make
