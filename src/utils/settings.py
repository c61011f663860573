"""The settings of a run, as whatever reads them knows them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

# By key. Each has the type that default.yaml says; `settings` has checked it.
Settings = dict[str, Any]
ReadSettings = Mapping[str, Any]  # where nothing is set
Change = tuple[str, object, str]  # key, value, and who set it
