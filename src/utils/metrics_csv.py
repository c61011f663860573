"""The lines of a metrics.csv: t_env, name, value, seconds since the run began, and a checksum.

Every line holds the checksum of the rest of it, so each stands for itself, however a run ends.
Files from before have no such column; their lines are taken as they are.
"""

from __future__ import annotations

import csv
import io
import zlib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

COLUMNS = ("t_env", "name", "value", "seconds")
EARLIER_HEAD = ",".join(COLUMNS).encode()
HEAD = EARLIER_HEAD + b",check"


class Row(NamedTuple):
    """One logged value."""

    name: str
    step: int
    value: float
    seconds: float


def text_of(row: Row) -> str:
    """The line, with its end."""
    buffer = io.StringIO()
    name = " ".join(row.name.splitlines())
    fields = (row.step, name, repr(row.value), f"{row.seconds:.3f}")
    csv.writer(buffer, lineterminator="").writerow(fields)
    text = buffer.getvalue()
    return f"{text},{_checksum(text.encode()).decode()}\n"


def _checksum(line: bytes) -> bytes:
    return f"{zlib.crc32(line):08x}".encode()


def head_line() -> str:
    return HEAD.decode() + "\n"


def write_rows(path: Path, rows: Iterable[Row]) -> None:
    """Make these all that the file holds."""
    draft = path.with_suffix(".tmp")
    with draft.open("w", encoding="utf-8", newline="") as file:
        file.write(head_line())
        file.writelines(text_of(row) for row in rows)
    draft.replace(path)


class Lines:
    """Takes the lines of one file, in their order; counts those that are damaged."""

    def __init__(self) -> None:
        self.damaged = 0
        self._has_checks: bool | None = None  # None until the head has been read

    @property
    def has_head(self) -> bool:
        return self._has_checks is not None

    def rows(self, whole_lines: bytes) -> Iterator[Row]:
        """The rows among these lines that are as they were written."""
        for line in whole_lines.split(b"\n")[:-1]:
            line = line.removesuffix(b"\r")
            if self._has_checks is None:
                self._take_head(line)
            elif (row := self._row(line)) is not None:
                yield row
            else:
                self.damaged += 1

    def _take_head(self, line: bytes) -> None:
        self._has_checks = line != EARLIER_HEAD
        if line not in (HEAD, EARLIER_HEAD):
            self.damaged += 1

    def _row(self, line: bytes) -> Row | None:
        if self._has_checks:
            line, _, check = line.rpartition(b",")
            if check != _checksum(line):
                return None
        try:
            step, rest = line.decode().split(",", 1)
            name, value, seconds = rest.rsplit(",", 2)
            return Row(_unquoted(name), int(step), float(value), float(seconds))
        except ValueError:
            return None


def _unquoted(name: str) -> str:
    quoted = len(name) > 1 and name[0] == name[-1] == '"'
    return name[1:-1].replace('""', '"') if quoted else name
