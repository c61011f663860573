"""What the addresses under /api/ answer."""

from __future__ import annotations

import gc
import json
import os
import threading
import time
import weakref
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dashboard.curves import charts
from reporting.results import curve_of
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
    original = Path.open

    def told(path: Path, *words: Any, **options: Any) -> Any:
        read.append(path.name)
        return original(path, *words, **options)

    monkeypatch.setattr(Path, "open", told)
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


def test_curves_of_single_runs(tmp_path: Path, visit: Visit) -> None:
    make_run(tmp_path / "1", [(100, 0.1), (200, float("nan")), (300, 0.5)])
    make_run(tmp_path / "2", [(100, 9.0)], metric="loss")
    visitor = visit(tmp_path)
    keys = [visitor.key("1"), visitor.key("2")]
    (chart,) = visitor.ask("curves", run=keys, metric=WON)["charts"]
    (curve,) = chart["curves"]
    assert (curve["x"], curve["y"]) == ([100, 200, 300], [0.1, None, 0.5])
    assert curve["runs"] == keys[:1]
    assert len(chart["notes"]) == 1
    assert "run 2 has no" in chart["notes"][0]
    both = visitor.ask("curves", run=keys, metric=[WON, "loss"], axis="seconds")["charts"]
    assert [chart["metric"] for chart in both] == [WON, "loss"]
    assert both[0]["curves"][0]["x"] == [10, 20, 30]


def test_times_nobody_wrote_down_are_told(tmp_path: Path, visit: Visit) -> None:
    make_run(tmp_path / "1", [(10, 0.25)], form="pymarl")
    visitor = visit(tmp_path)
    words = {"run": visitor.key("1"), "metric": WON, "axis": "seconds"}
    (chart,) = visitor.ask("curves", **words)["charts"]
    assert chart["curves"] == []
    assert "no times" in chart["notes"][0]


def test_seeds_together_are_the_reports_curve(tmp_path: Path, visit: Visit) -> None:
    for seed in range(3):
        make_run(tmp_path / str(seed), [(0, seed), (100, seed + 3.0)], config={"seed": seed})
    make_run(tmp_path / "9", [(0, 1.0), (50, 2.0)], config={"lr": 0.5})
    library = visit(tmp_path).server.library
    with library.shelf() as shelf:
        runs = list(shelf.runs.values())
        (chart,) = charts(runs, [WON], "steps", together=True)
    alone, three = sorted(chart["curves"], key=lambda curve: len(curve["runs"]))
    assert (len(alone["runs"]), len(three["runs"])) == (1, 3)
    assert three["y"][0] == 1.0  # of 0, 1, 2
    assert three["y"][-1] == 4.0
    assert set(alone["low"]) == {None}  # one run says nothing of its spread
    assert three["low"][0] == 0.0 <= three["y"][0] <= three["high"][0] == 2.0


def test_a_group_of_one_is_the_run_itself(tmp_path: Path, visit: Visit) -> None:
    make_run(tmp_path / "1", [(0, 1.0), (100, 2.0)])
    visitor = visit(tmp_path)
    words = {"run": visitor.key("1"), "metric": WON}
    (single,) = visitor.ask("curves", **words)["charts"][0]["curves"]
    (group,) = visitor.ask("curves", **words, together=1)["charts"][0]["curves"]
    np.testing.assert_allclose(np.interp(group["x"], single["x"], single["y"]), group["y"])


def test_an_earlier_version_of_a_run_leaves_the_memory(tmp_path: Path, visit: Visit) -> None:
    """What has been drawn of it does not hold its numbers."""
    folder = make_run(tmp_path / "1", [(0, 1.0), (100, 2.0)])
    visitor = visit(tmp_path)
    words = {"run": visitor.key("1"), "metric": WON, "together": 1}
    assert visitor.ask("curves", **words)["charts"][0]["curves"][0]["y"][-1] == 2.0
    with visitor.server.library.shelf() as shelf:
        record = weakref.ref(shelf.runs[words["run"]].record)
    append(folder, f"200,{WON},3.0,20.0")
    assert visitor.ask("curves", **words)["charts"][0]["curves"][0]["y"][-1] == 3.0
    del shelf
    gc.collect()
    assert record() is None


def test_what_has_been_drawn_is_not_drawn_again(
    tmp_path: Path, visit: Visit, monkeypatch: pytest.MonkeyPatch
) -> None:
    for seed in range(2):
        make_run(tmp_path / str(seed), [(0, seed), (100, seed + 3.0)], config={"seed": seed})
    drawn = []

    def told(*words: Any) -> Any:
        drawn.append(words)
        return curve_of(*words)

    monkeypatch.setattr("dashboard.curves.curve_of", told)
    visitor = visit(tmp_path)
    words = {"run": [visitor.key("0"), visitor.key("1")], "metric": WON, "together": 1}
    first, second = visitor.ask("curves", **words), visitor.ask("curves", **words)
    assert first == second
    assert len(drawn) == 1
    append(tmp_path / "1", f"200,{WON},0.5,20.0")
    visitor.ask("curves", **words)
    visitor.ask("curves", **words, axis="seconds")
    assert len(drawn) == 3


def test_others_are_answered_while_curves_are_drawn(
    tmp_path: Path, visit: Visit, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_run(tmp_path / "1", [(0, 1.0), (100, 2.0)])
    drawing, done = threading.Event(), threading.Event()

    def slow(*words: Any) -> list[Any]:
        drawing.set()
        assert done.wait(20)
        return []

    monkeypatch.setattr("dashboard.answers.charts", slow)
    visitor = visit(tmp_path)
    words = {"run": visitor.key("1"), "metric": WON}
    with ThreadPoolExecutor() as pool:
        curves = pool.submit(visitor.ask, "curves", **words)
        assert drawing.wait(20)
        table = pool.submit(visitor.lines)
        try:
            assert "1" in table.result(timeout=10)
            assert not curves.done()
        finally:
            done.set()
        assert curves.result(timeout=10)["charts"] == []


def test_metrics_are_counted(tmp_path: Path, visit: Visit) -> None:
    append(make_run(tmp_path / "1", [(100, 0.1)]), "100,k/cosine,0.9,1.0")
    make_run(tmp_path / "2", [(100, 0.1)])
    visitor = visit(tmp_path)
    answer = visitor.ask("metrics", run=[visitor.key("1"), visitor.key("2")])
    assert answer["headline"] == WON
    assert answer["metrics"] == [{"name": "k/cosine", "runs": 1}, {"name": WON, "runs": 2}]


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
