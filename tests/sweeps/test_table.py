"""What a sweep shows while it goes on."""

from __future__ import annotations

import io
import logging
import re
import sys
from pathlib import Path

import pytest

from sweeps.book import Attempt, RunPages
from sweeps.order import read_order
from sweeps.plan import make_plan
from sweeps.table import DONE, FAILED, RUNNING, WAITING, Entry, Table, table_lines
from utils.logging import get_logger


@pytest.fixture
def entries(tmp_path: Path) -> list[Entry]:
    """Four runs that wait."""
    words = "--config=qmix --env-config=grid with seed=1..4"
    runs = make_plan(read_order(words.split())).runs
    made = [Entry(run, RunPages(tmp_path / run.identity)) for run in runs]
    for entry in made:
        entry.pages.folder.mkdir()
    return made


def begin(entry: Entry, *attempts: Attempt) -> None:
    entry.pages.write_attempts(list(attempts))
    entry.pages.output.write_text("head\n 50% |#####     | 5k/10k\n")


def test_runs_are_running_between_the_begin_and_the_end_of_an_attempt(
    entries: list[Entry],
) -> None:
    one, two, three, _ = entries
    begin(one, Attempt("here", 1.0))
    begin(two, Attempt("here", 1.0, 2.0, 1))
    begin(three, Attempt("here", 1.0, 2.0, 1))
    three.seen_attempts = 1  # of an earlier sweep
    for entry in entries:
        entry.look()

    assert [entry.state for entry in entries] == [RUNNING, WAITING, WAITING, WAITING]
    assert [len(entry.tries) for entry in entries] == [1, 1, 0, 0]


def test_the_table_shows_what_runs_and_what_failed_in_the_room_there_is(
    entries: list[Entry],
) -> None:
    one, two, three, _ = entries
    one.state, one.run_id = DONE, "7"
    begin(two, Attempt("node1", 1.0, 2.0, 1), Attempt("node2", 3.0))
    two.look()
    three.state, three.reason = FAILED, "exit code 2: no game"

    assert table_lines("head", entries, height=9, width=80) == [
        "head",
        "  running   qmix grid seed=2  node2  try 2  50% |#####     | 5k/10k",
        "  failed    qmix grid seed=3  exit code 2: no game",
    ]
    short = table_lines("head", entries, height=3, width=20)
    assert short == ["head", "  running   qmix gri", "  and 1 more"]


def test_without_a_terminal_each_change_is_told_once(
    entries: list[Entry], capfd: pytest.CaptureFixture[str]
) -> None:
    get_logger().setLevel(logging.INFO)
    table = Table("mine", entries)
    begin(entries[0], Attempt("here", 1.0))
    table.show()
    table.show()
    entries[0].state, entries[0].run_id = DONE, "7"
    table.show()
    table.show()

    told = capfd.readouterr().out.splitlines()
    assert len(told) == 2
    assert told[0].startswith("running   qmix grid seed=1  here")
    assert told[1].startswith("1/4 done      qmix grid seed=1  run 7")
    assert table.head().startswith("mine: 4 runs · 1 done, 3 waiting · ")


class Terminal(io.StringIO):
    """What a terminal makes of the codes that the table uses."""

    def isatty(self) -> bool:
        return True

    def screen(self) -> list[str]:
        lines, at = [""], 0
        for up, clear, newline, text in re.findall(
            r"\x1b\[(\d+)A|(\x1b\[2K)|(\n)|([^\x1b\n]+)", self.getvalue()
        ):
            if up:
                at -= int(up)
                assert at >= 0
            elif clear:
                lines[at] = ""
            elif newline:
                at += 1
                lines += [""] * (at + 1 - len(lines))
            else:
                lines[at] += text
        return lines


def test_on_a_terminal_the_table_is_redrawn_in_place(
    entries: list[Entry], monkeypatch: pytest.MonkeyPatch
) -> None:
    terminal = Terminal()
    monkeypatch.setattr(sys, "stdout", terminal)
    table = Table("mine", entries)
    begin(entries[0], Attempt("here", 1.0))
    begin(entries[1], Attempt("here", 1.0))
    table.show()
    both = terminal.screen()
    entries[0].state, entries[0].run_id = DONE, "7"
    table.show()
    one = terminal.screen()
    table.clear()

    assert both[0].startswith("mine: 4 runs · 2 running, 2 waiting · ")
    assert both[1].startswith("  running   qmix grid seed=1  here")
    assert both[2].startswith("  running   qmix grid seed=2  here")
    assert one[0].startswith("mine: 4 runs · 1 done, 1 running, 2 waiting · ")
    assert one[1].startswith("  running   qmix grid seed=2  here")
    assert not any(one[2:])
    assert not any(terminal.screen())
