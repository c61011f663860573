"""Shared by all tests: one thread, and settings as the command line would make them."""

from __future__ import annotations

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ["RAY_AUTH_MODE"] = "disabled"  # before Ray is imported; no token in the home folder

import torch

torch.set_num_threads(1)
