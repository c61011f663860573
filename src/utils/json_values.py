"""What JSON can hold, and what is read out of files that may hold anything."""

from __future__ import annotations

from typing import Any, TypeAlias

Json: TypeAlias = "bool | int | float | str | list[Json] | dict[str, Json] | None"
# As a run's files have it: whoever reads an entry knows its type, or asks for it.
JsonObject = dict[str, Any]
