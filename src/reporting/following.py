"""A metrics.csv that is read once, and then only where it has grown."""

from __future__ import annotations

import copy
import os
from array import array
from typing import NamedTuple

from records.run_checksums import NUMBERS
from records.run_files import RunFiles
from reporting.series import Series, series
from utils.files import open_regular
from utils.metrics_csv import Lines

REMEMBERED = 256  # bytes before the end of what was read; other ones there mean another file


class Table(NamedTuple):
    """What a metrics.csv holds, and what is wrong with the file."""

    series: dict[str, Series]
    flaw: str | None


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

    def __init__(self, files: RunFiles) -> None:
        self._files = files
        self.path = files.folder / NUMBERS
        self._start_again()

    def _start_again(self) -> None:
        self._offset, self._inode, self._end = 0, -1, b""
        self._lines = Lines()
        self._columns: dict[str, Column] = {}
        self._series: dict[str, Series] = {}

    @property
    def promised(self) -> bool:
        """Whether the run had written such a file."""
        return self._files.written(NUMBERS) > 0

    def read(self) -> Table:
        written = self._files.written(NUMBERS)  # first: the run goes on while this is read
        with open_regular(self.path, self._files.root) as file:
            inode = os.fstat(file.fileno()).st_ino
            file.seek(max(0, self._offset - len(self._end)))
            if inode != self._inode or file.read(len(self._end)) != self._end:
                self._start_again()  # a resumed run has cut it, or it is a new one
                file.seek(0)
            news = file.read()
            size = file.tell()
        self._inode = inode
        self._take(news[: news.rfind(b"\n") + 1])
        return Table(dict(self._series), self._flaw(size, written))

    def _take(self, whole_lines: bytes) -> None:
        lines = copy.copy(self._lines)
        for name, news in _columns(lines, whole_lines).items():
            column = self._columns.setdefault(name, Column())
            column.extend(news)
            self._series[name] = column.series()
        self._lines = lines
        self._offset += len(whole_lines)
        self._end = (self._end + whole_lines)[-REMEMBERED:]

    def _flaw(self, size: int, written: int) -> str | None:
        if not self._lines.has_head:
            return f"{self.path} has no whole line."
        if size < written:
            return f"{self.path} has {size} of the {written} bytes that were written."
        if self._lines.damaged:
            return f"{self.path} has damaged lines: {self._lines.damaged}."
        return None


def _columns(lines: Lines, whole_lines: bytes) -> dict[str, Column]:
    """On their own first: lines that cannot be read leave what is known as it was."""
    found: dict[str, Column] = {}
    for name, step, value, seconds in lines.rows(whole_lines):
        found.setdefault(name, Column()).append(step, value, seconds)
    return found
