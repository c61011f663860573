"""By what a run computes its layers and recurrences: chosen when it is built, and kept with it.

Layers remember what they were made with, and so do their copies.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field

from modules.products import Products
from modules.recurrence import BySlots, Recurrence


@dataclass(frozen=True)
class Kernels:
    """Without a choice: torch's own library, which needs nothing and is always there."""

    products: Products = field(default_factory=Products)
    recurrence: Recurrence = field(default_factory=BySlots)

    def record(self) -> dict[str, str]:
        """For a run's record and its checkpoints, by which the same ones are found again."""
        return {"products": self.products.name, "GRU": self.recurrence.name}

    def __str__(self) -> str:
        return in_words(self.record())


def in_words(record: dict[str, str]) -> str:
    """What a run says of them."""
    return f"products by {record['products']}, GRU {record['GRU']}"


PLAIN = Kernels()
_now: ContextVar[Kernels] = ContextVar("kernels", default=PLAIN)


def of_new_layers() -> Kernels:
    """What is made now computes by this."""
    return _now.get()


@contextmanager
def layers_made_with(kernels: Kernels) -> Iterator[None]:
    """What networks and learners that are made meanwhile compute by, as long as they exist."""
    earlier = _now.set(kernels)
    try:
        yield
    finally:
        _now.reset(earlier)
