"""What environments are made from and what they give back, by name."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

EnvArgs = dict[str, Any]  # a config's `env_args`: what a constructor takes
Info = dict[str, Any]  # of a step: numbers for the statistics, and "episode_limit"
EnvInfo = dict[str, Any]  # of a task: its sizes (`vector.rows.sizes_of` checks them), and more
Actions = np.ndarray | Sequence[int] | Sequence[np.ndarray]  # one for each agent
Choices = np.ndarray | Sequence[int]  # 0/1 over one agent's actions: which are available
Size = int | Sequence[int]  # of an observation or a state: its length or its shape
