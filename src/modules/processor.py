"""Which library multiplies faster on this processor."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import torch


@cache
def onednn_is_faster() -> bool:
    """On AMD's processors with AVX-512: twice as fast, for there MKL leaves half of each unused.

    Elsewhere torch's choice, which is MKL, stays.
    """
    cpu = Path("/proc/cpuinfo")
    return (
        torch.backends.mkldnn.is_available()
        and hasattr(torch.ops.mkldnn, "_linear_pointwise")
        and torch.backends.cpu.get_cpu_capability().startswith("AVX512")
        and cpu.exists()
        and "AuthenticAMD" in cpu.read_text()
    )
