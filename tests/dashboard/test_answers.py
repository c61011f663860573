"""What the addresses under /api/ answer."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.dashboard.conftest import Visitor
from tests.dashboard.runs import WON, append, make_run, moment

Visit = Callable[..., Visitor]


def test_a_line_says_status_progress_last_and_best(tmp_path: Path, visit: Visit) -> None:
    running = {"status": "RUNNING", "heartbeat": moment(1), "start_time": moment(100)}
    points = [(100, 0.1), (200, 0.75), (300, 0.5)]
    make_run(tmp_path / "1", points, config={"t_max": 1200}, run=running)
    line = visit(tmp_path).lines()["1"]
    assert (line["name"], line["task"], line["seed"]) == ("qmix", "sc2/3m", 1)
    assert (line["status"], line["step"], line["progress"]) == ("RUNNING", 300, 0.25)
    assert (line["metric"], line["last"], line["best"], line["best_at"]) == (WON, 0.5, 0.75, 200)
    assert line["left"] == 90.0  # 900 steps at 10 a second


def test_all_three_forms_are_listed(tmp_path: Path, visit: Visit) -> None:
    make_run(tmp_path / "ours" / "1", [(10, 0.5)])
    make_run(tmp_path / "pymarl" / "2", [(10, 0.25)], form="pymarl")
    make_run(tmp_path / "epymarl" / "3", [(10, 7.0)], form="epymarl", metric="test_return_mean")
    lines = visit(tmp_path / "ours", tmp_path / "pymarl", tmp_path / "epymarl").lines()
    assert {run_id: line["last"] for run_id, line in lines.items()} == {"1": 0.5, "2": 0.25, "3": 7}
    assert [lines[i]["status"] for i in "123"] == ["COMPLETED"] * 3


def test_a_silent_run_becomes_lost_though_no_file_changes(
    tmp_path: Path, visit: Visit, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_run(tmp_path / "1", [(10, 0.5)], run={"status": "RUNNING", "heartbeat": moment(1)})
    visitor = visit(tmp_path)
    assert visitor.lines()["1"]["status"] == "RUNNING"
    monkeypatch.setattr("reporting.records.HEARTBEAT_LIMIT", 0.5)
    assert visitor.lines()["1"]["status"] == "LOST"


def test_new_rows_new_runs_and_vanished_runs_are_seen(
    tmp_path: Path, visit: Visit, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dashboard.folders.LOOK_AGAIN", 0.0)
    folder = make_run(tmp_path / "1", [(100, 0.1)])
    visitor = visit(tmp_path)
    before = visitor.lines()["1"]
    append(folder, f"200,{WON},0.9,2.0")
    after = visitor.lines()["1"]
    assert (after["step"], after["last"]) == (200, 0.9)
    assert after["version"] > before["version"]
    assert visitor.lines()["1"]["version"] == after["version"]
    make_run(tmp_path / "2", [(100, 0.1)])
    assert set(visitor.lines()) == {"1", "2"}
    os.rename(folder, tmp_path.parent / f"{tmp_path.name}_gone")
    assert set(visitor.lines()) == {"2"}


def test_unchanged_files_are_not_read_again(
    tmp_path: Path, visit: Visit, monkeypatch: pytest.MonkeyPatch
) -> None:
    for i in range(5):
        make_run(tmp_path / str(i), [(100, 0.1)])
    visitor = visit(tmp_path)
    visitor.lines()
    read = []
    original = os.open

    def told(path: Path, *words: Any, **options: Any) -> Any:
        read.append(Path(path).name)
        return original(path, *words, **options)

    monkeypatch.setattr(os, "open", told)
    visitor.lines()
    assert read == []
    append(tmp_path / "3", f"200,{WON},0.2,2.0")
    read.clear()
    visitor.lines()
    assert read.count("metrics.csv") == 1


def test_what_takes_long_comes_later(tmp_path: Path, visit: Visit) -> None:
    """Newest first; the others say that they are being read."""
    for i in range(4):
        make_run(tmp_path / str(i), [(100, 0.1)], run={"start_time": moment(1000 - i)})
    library = visit(tmp_path).server.library
    with library.shelf(patience=-1) as shelf:
        assert len(shelf.unread) == 4
    with library.shelf(patience=60) as shelf:
        assert not shelf.unread


def test_torn_runs_are_told_and_hide_no_other(tmp_path: Path, visit: Visit) -> None:
    make_run(tmp_path / "1", [(100, 0.1)])
    (make_run(tmp_path / "2", []) / "config.json").write_text('{"env": ')
    torn = make_run(tmp_path / "3", [(100, 0.1)], form="pymarl")
    (torn / "info.json").write_text('{"a": ')
    visitor = visit(tmp_path)
    answer = visitor.ask("runs")
    assert [line["run_id"] for line in answer["runs"]] == ["1", "3"]
    assert len(answer["problems"]) == 2
    assert answer["runs"][1]["step"] is None
    curves = visitor.ask("curves", run=[line["key"] for line in answer["runs"]], metric=WON)
    assert len(curves["charts"][0]["curves"]) == 1
    assert visitor.ask("run", run=visitor.key("3"))["environment"] is None


def test_differences_of_settings_and_versions(tmp_path: Path, visit: Visit) -> None:
    one = {"lr": 0.1, "gamma": 0.99, "env_args": {"map_name": "3m", "sight": 9}}
    two = {"lr": 0.2, "gamma": 0.99, "env_args": {"map_name": "3m"}, "seed": 2}
    make_run(
        tmp_path / "1", [], config=one, environment={"game": "4.10", "packages": {"smac": "1"}}
    )
    make_run(tmp_path / "2", [], config=two, environment={"game": "4.6", "packages": {"smac": "1"}})
    visitor = visit(tmp_path)
    first, second = visitor.key("1"), visitor.key("2")
    rows = visitor.ask("differences", run=[first, second])["rows"]
    assert rows == [
        {"name": "env_args.sight", "incidental": False, "values": {first: 9}},
        {"name": "environment.game", "incidental": False, "values": {first: "4.10", second: "4.6"}},
        {"name": "lr", "incidental": False, "values": {first: 0.1, second: 0.2}},
        {"name": "seed", "incidental": True, "values": {first: 1, second: 2}},
    ]
    assert visitor.ask("differences", run=first)["rows"] == []


def test_settings_are_compared_though_an_environment_cannot_be_read(
    tmp_path: Path, visit: Visit
) -> None:
    for number, rate in (("1", 0.1), ("2", 0.9), ("3", 0.9)):
        game = {"game": f"4.{number}"}
        make_run(tmp_path / number, [(10, 0.5)], config={"lr": rate}, environment=game)
    (tmp_path / "2" / "info.json").write_text('{"a": ')
    visitor = visit(tmp_path)
    one, two, three = (visitor.key(number) for number in "123")
    answer = visitor.ask("differences", run=[one, two])
    assert answer["unknown_environment"] == [two]
    assert [(row["name"], row["values"]) for row in answer["rows"]] == [
        ("lr", {one: 0.1, two: 0.9}),
    ]
    rows = visitor.ask("differences", run=[one, two, three])["rows"]
    assert [(row["name"], row["values"]) for row in rows] == [
        ("environment.game", {one: "4.1", three: "4.3"}),
        ("lr", {one: 0.1, two: 0.9, three: 0.9}),
    ]
    assert visitor.ask("differences", run=[one, three])["unknown_environment"] == []


def test_settings_that_look_the_same_are_the_same(tmp_path: Path, visit: Visit) -> None:
    same = {"a": 1, "b": [1, [2.0]], "c": True, "d": "x"}
    make_run(tmp_path / "1", [], config=same | {"e": "1", "f": 1, "g": [1, 2]})
    other = {"a": 1.0, "b": [1.0, [2]]}
    make_run(tmp_path / "2", [], config=same | other | {"e": 1, "f": True, "g": [2, 1]})
    visitor = visit(tmp_path)
    rows = visitor.ask("differences", run=[visitor.key("1"), visitor.key("2")])["rows"]
    assert [row["name"] for row in rows] == ["e", "f", "g"]


def test_a_failed_run_shows_its_error_and_console(tmp_path: Path, visit: Visit) -> None:
    trace = ["Traceback\n", "ValueError: <script>alert(1)</script>\n"]
    run = {"status": "FAILED", "fail_trace": trace, "host": {"hostname": "n1"}}
    folder = make_run(tmp_path / "1", [(10, 0.5)], run=run, config={"oddity": float("inf")})
    (folder / "cout.txt").write_text("first\n" + "x" * 70_000 + "\nlast\n")
    visitor = visit(tmp_path)
    record = visitor.ask("run", run=visitor.key("1"))
    assert record["fail_trace"] == "".join(trace)
    assert record["summary"]["status"] == "FAILED"
    assert record["config"]["env_args.map_name"] == "3m"
    assert record["config"]["oddity"] == "inf"
    printed = visitor.ask("console", run=visitor.key("1"))
    assert printed["cut"]
    assert printed["text"].endswith("\nlast\n")
    assert "first" not in printed["text"]


def test_a_run_without_console(tmp_path: Path, visit: Visit) -> None:
    make_run(tmp_path / "1", [])
    visitor = visit(tmp_path)
    assert visitor.ask("console", run=visitor.key("1")) == {"text": "", "cut": False}


def test_no_runs_is_no_error(tmp_path: Path, visit: Visit) -> None:
    answer = visit(tmp_path).ask("runs")
    assert (answer["runs"], answer["problems"]) == ([], [])


def test_a_folder_that_goes_away_is_told(tmp_path: Path, visit: Visit) -> None:
    place = tmp_path / "results"
    make_run(place / "1", [])
    visitor = visit(place)
    place.rename(tmp_path / "elsewhere")
    time.sleep(0.01)
    assert visitor.ask("runs")["problems"][-1].endswith("is not there.")


@pytest.mark.parametrize(
    ("path", "status", "told"),
    [
        ("curves?metric=loss", 400, "run=KEY"),
        ("curves?run=nobody&metric=loss", 404, "nobody"),
        ("run?run=a&run=b", 400, "run=KEY"),
        ("curves?run={key}", 400, "metric=NAME"),
        ("curves?run={key}&metric=loss&axis=days", 400, "steps, seconds"),
        ("secrets", 404, "/api/secrets"),
    ],
)
def test_wrong_questions(tmp_path: Path, visit: Visit, path: str, status: int, told: str) -> None:
    make_run(tmp_path / "1", [(10, 0.5)])
    visitor = visit(tmp_path)
    response, body = visitor.get(f"/api/{path.format(key=visitor.key('1'))}")
    assert response.status == status
    assert told in json.loads(body)["error"]
