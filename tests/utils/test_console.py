from __future__ import annotations

import fcntl
import logging
import math
import os
import pty
import struct
import sys
import termios
from collections.abc import Iterator

import pytest

from utils import console
from utils.console import Progress, TestResult, duration, head_lines, human, short_name, task_name


@pytest.mark.parametrize(
    ("number", "text"), [(12, "12"), (840_000, "840k"), (2_050_000, "2.05M"), (0, "0")]
)
def test_large_numbers_are_short(number: float, text: str) -> None:
    assert human(number) == text


@pytest.mark.parametrize(
    ("seconds", "text"), [(5, "5s"), (65, "1m05s"), (5700, "1h35m"), (math.inf, "?")]
)
def test_durations_are_short(seconds: float, text: str) -> None:
    assert duration(seconds) == text


def test_the_task_is_named_with_its_map() -> None:
    assert task_name({"env": "sc2", "env_args": {"map_name": "corridor"}}) == "sc2/corridor"
    assert task_name({"env": "two_step", "env_args": {}}) == "two_step"


def test_a_task_whose_sizes_are_replaced_is_another() -> None:
    named = {"map_name": "2x5-8", "n_agents": None, "maxval": None}
    replaced = {**named, "n_agents": 3, "maxval": 0}

    assert task_name({"env": "coordsum", "env_args": named}) == "coordsum/2x5-8"
    assert (
        task_name({"env": "coordsum", "env_args": replaced}) == "coordsum/2x5-8 n_agents=3 maxval=0"
    )
    assert task_name({"env": "grid", "env_args": {"n_agents": 2}}) == "grid"


def test_win_rates_are_called_wins() -> None:
    assert short_name("test_battle_won_mean") == "test win"
    assert str(TestResult("test_return_mean", 8.0, 0.0, 100)) == "test return 8.00 ±0.00"


def test_the_head_groups_what_was_changed_by_who_changed_it() -> None:
    config = {"name": "qmix", "env": "two_step", "env_args": {}, "seed": 3}
    changed = [
        ("lr", 0.1, "command line"),
        ("mixer", "qmix", "qmix.yaml"),
        ("seed", 3, "command line"),
    ]

    lines = head_lines(config, changed, None, ["cpu"])

    assert lines[0] == "qmix on two_step · seed 3 · cpu"
    assert "  command line: lr 0.1, seed 3" in lines
    assert "  qmix.yaml: mixer qmix" in lines


def test_the_last_round_may_pass_the_end() -> None:
    line = Progress(0, 20, logging.getLogger("pymarlk"))._line(52, None, 0.0)
    assert "100%" in line
    assert "20/20" in line
    assert "left 0s" in line


RESULT = TestResult("test_battle_won_mean", 0.97, 0.03, 5000)
MARK = "\0"
LEAST = 30  # columns in which share and result fit


def halfway() -> Progress:
    """Of a run that has begun 1,000 seconds ago."""
    progress = Progress(0, 2_050_000, logging.getLogger("pymarlk"))
    progress._began -= 1000
    return progress


def line(columns: int) -> str:
    return halfway()._line(840_000, RESULT, 1.0, columns)


@pytest.mark.parametrize("columns", range(1, 130))
def test_the_live_line_fits_and_says_what_matters_most(columns: int) -> None:
    assert len(line(columns)) <= columns
    if columns >= LEAST:
        assert line(columns).startswith(" 41% ")
        assert "test win 0.97 ±0.03" in line(columns)


def test_with_room_the_live_line_has_everything() -> None:
    everything = line(sys.maxsize)

    assert line(120) == everything
    assert "|████████            | 840k/2.05M" in everything
    assert "840 steps/s  left 24m" in everything
    assert everything.endswith("test win 0.97 ±0.03  best 1.00")


class Terminal:
    """A pseudo-terminal, and what it would show: long lines go on in the next row."""

    def __init__(self, columns: int) -> None:
        self.master, slave = pty.openpty()
        self.stream = os.fdopen(slave, "w", encoding="utf-8")
        self.resize(columns)

    def resize(self, columns: int) -> None:
        self.columns = columns
        size = struct.pack("HHHH", 24, columns, 0, 0)
        fcntl.ioctl(self.master, termios.TIOCSWINSZ, size)

    def rows(self) -> list[str]:
        """Everything written since the last call, on rows of the present width."""
        rows, column = [""], 0
        for character in self._written():
            if character == "\r":
                column = 0
            elif character == "\n":
                rows.append("")
            else:
                if column == self.columns:
                    rows, column = [*rows, ""], 0
                rows[-1] = rows[-1][:column] + character + rows[-1][column + 1 :]
                column += 1
        return [row.rstrip() for row in rows]

    def _written(self) -> str:
        """Up to a mark, as the terminal hands on what it gets in pieces."""
        self.stream.write(MARK)
        self.stream.flush()
        written = b""
        while not written.endswith(MARK.encode()):
            written += os.read(self.master, 1 << 16)
        return written.decode().removesuffix(MARK)


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> Iterator[Terminal]:
    monkeypatch.setattr(console, "REDRAW_SECONDS", -1.0)
    monkeypatch.setenv("TERM", "xterm")
    terminal = Terminal(80)
    monkeypatch.setattr(sys, "__stderr__", terminal.stream)
    yield terminal
    terminal.stream.close()
    os.close(terminal.master)


def test_on_80_columns_the_live_line_stays_in_its_row(terminal: Terminal) -> None:
    progress = halfway()
    for t_env in range(840_000, 850_000, 1000):
        progress.show(t_env, RESULT, 1.0)
    (row,) = terminal.rows()

    assert row.endswith("test win 0.97 ±0.03  best 1.00")


def test_the_live_line_follows_the_terminals_width(terminal: Terminal) -> None:
    progress = halfway()
    progress.show(840_000, RESULT, 1.0)
    terminal.rows()
    terminal.resize(40)
    for _ in range(3):
        progress.show(840_000, RESULT, 1.0)
    rows = terminal.rows()
    assert rows[0] == ""  # the longer line above is left as it is
    assert [len(row) < 40 for row in rows[1:]] == [True]

    terminal.resize(120)
    for _ in range(3):
        progress.show(840_000, RESULT, 1.0)
    (row,) = terminal.rows()
    assert "best 1.00" in row
    progress.clear()
    assert terminal.rows() == [""]


def test_a_terminal_that_cannot_go_back_gets_plain_lines(
    terminal: Terminal, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TERM", "dumb")
    assert not Progress(0, 20, logging.getLogger("pymarlk"))._live


def test_a_terminal_of_unknown_width_counts_as_80_columns(terminal: Terminal) -> None:
    terminal.resize(0)
    halfway().show(840_000, RESULT, 1.0)
    terminal.columns = 80

    assert terminal.rows() == [line(79)]
