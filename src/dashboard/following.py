"""A metrics.csv that is read once, and then only where it has grown."""

from __future__ import annotations

import os
from array import array
from pathlib import Path

from reporting.records import Series, csv_entries, series

REMEMBERED = 256  # bytes before the end of what was read; other ones there mean another file


class Column:
    """One metric's numbers, 24 bytes a point."""

    def __init__(self) -> None:
        self.steps, self.values, self.seconds = array("q"), array("d"), array("d")

    def append(self, step: int, value: float, seconds: float) -> None:
        self.steps.append(step)
        self.values.append(value)
        self.seconds.append(seconds)

    def extend(self, other: Column) -> None:
        self.steps.extend(other.steps)
        self.values.extend(other.values)
        self.seconds.extend(other.seconds)

    def series(self) -> Series:
        return series(self.steps, self.values, self.seconds)


class CsvFollower:
    """`read()` equals a reading of the whole file at that moment, less a line without its end."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._start_again()

    def _start_again(self) -> None:
        self._offset, self._inode, self._end = 0, -1, b""
        self._columns: dict[str, Column] = {}
        self._series: dict[str, Series] = {}

    def read(self) -> dict[str, Series]:
        with self.path.open("rb") as file:
            inode = os.fstat(file.fileno()).st_ino
            file.seek(max(0, self._offset - len(self._end)))
            if inode != self._inode or file.read(len(self._end)) != self._end:
                self._start_again()  # a resumed run has cut it, or it is a new one
                file.seek(0)
            news = file.read()
        self._inode = inode
        self._take(news[: news.rfind(b"\n") + 1])
        return dict(self._series)

    def _take(self, whole_lines: bytes) -> None:
        for name, news in _columns(whole_lines).items():
            column = self._columns.setdefault(name, Column())
            column.extend(news)
            self._series[name] = column.series()
        self._offset += len(whole_lines)
        self._end = (self._end + whole_lines)[-REMEMBERED:]


def _columns(whole_lines: bytes) -> dict[str, Column]:
    """On their own first: lines that cannot be read leave what is known as it was."""
    found: dict[str, Column] = {}
    lines = whole_lines.decode(errors="replace").splitlines()
    for name, step, value, seconds in csv_entries(lines):
        found.setdefault(name, Column()).append(step, value, seconds)
    return found
