"""The settings of a run, as whatever reads them knows them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

# By key. Each has the type that default.yaml says; `settings` has checked it.
Settings = dict[str, Any]
ReadSettings = Mapping[str, Any]  # where nothing is set
Change = tuple[str, object, str]  # key, value, and who set it


def is_seed(argument: str) -> bool:
    """Whether an environment's argument is a seed, of its episodes or of what it is made of."""
    return argument == "seed" or argument.endswith("_seed")
