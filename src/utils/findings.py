"""Lines of what was looked at, as `doctor` prints them."""

from __future__ import annotations

import sys
from dataclasses import dataclass

OK, WARNING, FAULT = "ok  ", "look", "BAD "
INDENT = " " * 24


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at, and whether the user should know about it."""

    text: str
    warning: bool = False


def say(mark: str, name: str, text: str) -> None:
    indented = text.replace("\n", "\n" + INDENT)
    sys.stdout.write(f"{mark} {name:<18} {indented}\n")
