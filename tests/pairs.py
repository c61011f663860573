"""Combinations of settings to test where all of them would cost too much."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any


def every_pair(*options: Sequence[Any]) -> list[tuple[Any, ...]]:
    """Combinations in which each value of an option meets each value of every other option.

    For `pytest.mark.parametrize`, in place of all combinations: most mistakes show in a single
    value, or where two of them meet.
    """
    places = list(itertools.product(*(range(len(values)) for values in options)))
    left = set().union(*map(meetings, places))
    chosen = []
    while left:
        best = max(places, key=lambda place: len(meetings(place) & left))
        left -= meetings(best)
        chosen.append(best)
    return [
        tuple(values[i] for values, i in zip(options, place, strict=True))
        for place in sorted(chosen)
    ]


def meetings(place: tuple[int, ...]) -> set[tuple[tuple[int, int], ...]]:
    """The pairs of values in a combination, each with the option that it belongs to."""
    return set(itertools.combinations(enumerate(place), 2))
