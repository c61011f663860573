"""What runs recorded, as JSON can hold it."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping

import numpy as np

from utils.json_values import Json


def number(value: object) -> float | None:
    """A finite number, as JSON and charts can have it; None for whatever else a run holds."""
    if not isinstance(value, int | float) or isinstance(value, bool):
        return None
    try:
        found = float(value)
    except OverflowError:
        return None
    return found if math.isfinite(found) else None


def numbers(values: np.ndarray) -> list[float | None]:
    return [number(value) for value in values.tolist()]


def plain(value: object) -> Json:
    """Numbers that JSON lacks, dates and all else it does not know become text."""
    if isinstance(value, Mapping):
        return {str(key): plain(entry) for key, entry in value.items()}
    if isinstance(value, list | tuple):
        return [plain(entry) for entry in value]
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    return value if value is None or isinstance(value, str | int | float | bool) else str(value)


def flat(record: Mapping[str, object], prefix: str = "") -> Iterator[tuple[str, Json]]:
    """All that is in a nested record: ("env_args.map_name", "3m")."""
    for key, value in record.items():
        if isinstance(value, Mapping) and value:
            yield from flat(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", plain(value)
