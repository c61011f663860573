"""A plugin: worker processes import it to know the fragile environments."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from envs import REGISTRY
from tests.data import fragile

for name in fragile.__all__:
    REGISTRY[name] = getattr(fragile, name)
