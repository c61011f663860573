"""What is drawn: curves of runs and of groups, once for each version of them."""

from __future__ import annotations

import gc
import threading
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
from tests.dashboard.runs import WON, append, make_run
from tests.support import PATIENCE

Visit = Callable[..., Visitor]


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
        assert done.wait(PATIENCE)
        return []

    monkeypatch.setattr("dashboard.answers.charts", slow)
    visitor = visit(tmp_path)
    words = {"run": visitor.key("1"), "metric": WON}
    with ThreadPoolExecutor() as pool:
        curves = pool.submit(visitor.ask, "curves", **words)
        assert drawing.wait(PATIENCE)
        table = pool.submit(visitor.lines)
        try:
            assert "1" in table.result(timeout=PATIENCE)
            assert not curves.done()
        finally:
            done.set()
        assert curves.result(timeout=PATIENCE)["charts"] == []


def test_metrics_are_counted(tmp_path: Path, visit: Visit) -> None:
    append(make_run(tmp_path / "1", [(100, 0.1)]), "100,k/cosine,0.9,1.0")
    make_run(tmp_path / "2", [(100, 0.1)])
    visitor = visit(tmp_path)
    answer = visitor.ask("metrics", run=[visitor.key("1"), visitor.key("2")])
    assert answer["headline"] == WON
    assert answer["metrics"] == [{"name": "k/cosine", "runs": 1}, {"name": WON, "runs": 2}]
