"""Shared by all tests: one thread, and settings as the command line would make them."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator

import pytest

os.environ.setdefault("OMP_NUM_THREADS", "1")
# Before others import protobuf: StarCraft II's messages need it so.
os.environ["PROTOCOL_BUFFERS_PYTHON_IMPLEMENTATION"] = "python"
os.environ["RAY_AUTH_MODE"] = "disabled"  # before Ray is imported; no token in the home folder

import torch

from tests.cpu_time import CpuTime

torch.set_num_threads(1)


def pytest_configure(config: pytest.Config) -> None:
    config.pluginmanager.register(CpuTime(config))
    if not hasattr(config, "workerinput"):  # workers inherit it
        folder = tempfile.TemporaryDirectory(prefix="pymarlk-cache-")
        os.environ["PYMARLK_CACHE"] = folder.name
        config.add_cleanup(folder.cleanup)


@pytest.fixture
def double_precision() -> Iterator[None]:
    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(torch.float32)
