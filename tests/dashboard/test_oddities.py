"""Runs that hold what nobody expects, or are just being written: nothing else is hidden."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.dashboard.conftest import Visitor
from tests.dashboard.runs import WON, append, make_run, moment
from tests.reporting.conftest import amend

Visit = Callable[..., Visitor]


def replace_by_folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


def far_step(folder: Path) -> None:
    append(folder, f"{2**70},{WON},0.5,1.0")


def csv_as_folder(folder: Path) -> None:
    replace_by_folder(folder / "metrics.csv")


def far_step_of_sacred(folder: Path) -> None:
    (folder / "metrics.csv").unlink()
    entry = {"steps": [2**70], "values": [0.5], "timestamps": [moment(0)]}
    (folder / "metrics.json").write_text(json.dumps({WON: entry}))


def nested_values(folder: Path) -> None:
    (folder / "metrics.csv").unlink()
    entry = {"steps": [[1]], "values": [[0.5]], "timestamps": [moment(0)]}
    (folder / "metrics.json").write_text(json.dumps({WON: entry}))


@pytest.mark.parametrize("spoil", [far_step, csv_as_folder, far_step_of_sacred, nested_values])
def test_numbers_that_cannot_be_read_are_told_and_hide_no_other_run(
    tmp_path: Path, visit: Visit, spoil: Callable[[Path], None]
) -> None:
    make_run(tmp_path / "1", [(10, 0.75)])
    spoil(make_run(tmp_path / "2", [(10, 0.5)]))
    visitor = visit(tmp_path)
    for _ in range(2):  # and the second answer is no better than the first
        answer = visitor.ask("runs")
        good, odd = answer["runs"]
        assert (good["last"], odd["last"], odd["progress"]) == (0.75, None, None)
        assert str(tmp_path / "2") in answer["problems"][0]


@pytest.mark.parametrize("token", [["a"], {"a": 1}, 7, None])
def test_a_token_of_any_kind(tmp_path: Path, visit: Visit, token: Any) -> None:
    for number in ("1", "2"):
        make_run(tmp_path / number / "1", [(10, 0.5)], config={"unique_token": token})
    visitor = visit(tmp_path / "1", tmp_path / "2")
    assert len(visitor.ask("runs")["runs"]) == 2


@pytest.mark.parametrize(
    "config",
    [{"t_max": wrong} for wrong in ("many", "2e6", "inf", float("inf"), 10**400, [5], True, None)]
    + [{"env_args": {"map_name": wrong}} for wrong in (3, ["3m"], {"a": 1})],
    ids=lambda config: str(config)[:40],
)
def test_settings_of_any_kind(tmp_path: Path, visit: Visit, config: dict[str, Any]) -> None:
    """What the page takes for a number is one, or nothing."""
    running = {"status": "RUNNING", "heartbeat": moment(1)}
    make_run(tmp_path / "1", [(10, 0.5), (20, 0.5)], run=running, config={"t_max": None} | config)
    line = visit(tmp_path).lines()["1"]
    assert (line["t_max"], line["progress"], line["left"], line["step"]) == (None, None, None, 20)


def test_the_rest_of_run_json_of_any_kind(tmp_path: Path, visit: Visit) -> None:
    odd = {"stop_time": 5, "earlier_sessions": 3, "fail_trace": {"a": float("nan")}, "host": "n1"}
    make_run(tmp_path / "1", [(10, 0.5)], run=odd)
    visitor = visit(tmp_path)
    record = visitor.ask("run", run=visitor.key("1"))
    assert (record["ended"], record["sessions"], record["host"]) == (None, 1, "n1")
    assert record["fail_trace"] == {"a": "nan"}


def test_when_a_run_began_and_ended(tmp_path: Path, visit: Visit) -> None:
    times = {"start_time": "2026-03-01T10:00:00", "stop_time": "2026-03-01T11:00:00.5"}
    make_run(tmp_path / "1", [], run=times)
    visitor = visit(tmp_path)
    record = visitor.ask("run", run=visitor.key("1"))
    assert record["summary"]["started"] == "2026-03-01T10:00:00+00:00"
    assert record["ended"] == "2026-03-01T11:00:00.500000+00:00"


def test_a_console_that_is_a_folder_is_told(tmp_path: Path, visit: Visit) -> None:
    (make_run(tmp_path / "1", []) / "cout.txt").mkdir()
    visitor = visit(tmp_path)
    printed = visitor.ask("console", run=visitor.key("1"))
    assert "cout.txt cannot be read (Is a directory)" in printed["text"]


@pytest.mark.parametrize("name", ["run.json", "config.json", "info.json"])
def test_a_run_that_is_being_written_stays_as_it_was(
    tmp_path: Path, visit: Visit, name: str
) -> None:
    """Sacred empties a file, then writes it."""
    running = {"status": "RUNNING", "heartbeat": moment(0)}
    make_run(tmp_path / "1", [(10, 0.25)], form="pymarl", run=running)
    visitor = visit(tmp_path)
    before = visitor.lines()["1"]
    path = tmp_path / "1" / name
    whole = path.read_text()
    path.write_text(whole[:9])
    for _ in range(2):
        answer = visitor.ask("runs")
        assert [(run["status"], run["last"]) for run in answer["runs"]] == [("RUNNING", 0.25)]
        assert name in answer["problems"][0]
        assert len(visitor.ask("curves", run=before["key"], metric=WON)["charts"][0]["curves"]) == 1
    path.write_text(whole)
    answer = visitor.ask("runs")
    assert (answer["problems"], answer["runs"][0]["last"]) == ([], 0.25)


def test_a_run_that_has_ended_says_so_though_its_numbers_are_torn(
    tmp_path: Path, visit: Visit
) -> None:
    running = {"status": "RUNNING", "heartbeat": moment(0)}
    folder = make_run(tmp_path / "1", [(10, 0.25)], form="pymarl", run=running)
    visitor = visit(tmp_path)
    visitor.lines()
    (folder / "info.json").write_text('{"a": ')
    amend(folder / "run.json", status="FAILED")
    line = visitor.lines()["1"]
    assert (line["status"], line["last"]) == ("FAILED", None)
