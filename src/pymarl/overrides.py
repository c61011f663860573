"""Two methods that must say the same: what PyMARL calls, and a faster way to that."""

from __future__ import annotations


def speaks_for(kind: type, fast: str, *plain: str) -> bool:
    """Whether the method `fast` of a class knows of its methods `plain`.

    A subclass that overrides one of these alone would inherit a `fast` that says something else.
    """
    homes = [place for name in plain if (place := _home(kind, name)) is not None]
    home = _home(kind, fast)
    return home is not None and all(home <= place for place in homes)


def _home(kind: type, name: str) -> int | None:
    """How far up among a class and its bases the method is defined."""
    mro = getattr(kind, "__mro__", ())  # a function that makes agents has none
    return next((i for i, base in enumerate(mro) if name in vars(base)), None)
