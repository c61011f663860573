"""How fast this machine multiplies, by each library that torch can call."""

from __future__ import annotations

import functools
import time
from collections.abc import Callable
from typing import Any

SIDE = 1024  # of square matrices, which fit the caches


def seconds_of(call: Callable[[], Any], times: int) -> float:
    """The least of some."""
    found = []
    for _ in range(9):
        began = time.process_time()
        for _ in range(times):
            call()
        found.append((time.process_time() - began) / times)
    return min(found)


def product_rates() -> dict[str, float]:
    """Operations a second, of one thread."""
    import torch

    from modules.products import OneDNNProducts, by_onednn

    torch.set_num_threads(1)
    a, b = torch.randn(SIDE, SIDE), torch.randn(SIDE, SIDE)
    ways: dict[str, Callable[..., Any]] = {"blas": torch.mm}
    if OneDNNProducts.there():
        ways["onednn"] = by_onednn
    return {
        name: 2 * SIDE**3 / seconds_of(functools.partial(way, a, b), 5)
        for name, way in ways.items()
    }


def in_words() -> str:
    rates = (f"{name} {rate / 1e9:.0f}" for name, rate in product_rates().items())
    return f"Products in GFLOP/s: {', '.join(rates)}."
