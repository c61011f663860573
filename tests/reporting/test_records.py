"""The three forms of results are read alike, and torn files are told of."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest

from reporting.records import find_records, read_record
from tests.reporting.conftest import MakeRun
from utils.errors import UserError

POINTS = {0: 1.0, 100: 2.5, 200: 3.0}


@pytest.mark.parametrize("form", ["ours", "pymarl", "epymarl"])
def test_every_form_gives_the_same_numbers(make_run: MakeRun, form: str) -> None:
    record = read_record(make_run(form, POINTS))
    series = record.metrics["test_return_mean"]

    assert series.steps.tolist() == [0, 100, 200]
    assert series.values.tolist() == [1.0, 2.5, 3.0]
    if form == "pymarl":
        assert np.isnan(series.seconds).all()
    else:
        assert series.seconds.tolist() == [0.0, 10.0, 20.0]
    assert (record.name, record.task, record.last_step) == ("vdn", "sc2/3m", 200)


def test_runs_are_found_at_any_depth_and_in_order(make_run: MakeRun, tmp_path: Path) -> None:
    folders = [make_run("ours", POINTS) for _ in range(11)]
    (tmp_path / "ours" / "sacred" / "_sources").mkdir()
    (tmp_path / "ours" / "sacred" / "_sources" / "config.json").write_text("{}")

    records, problems = find_records([tmp_path, tmp_path / "ours"])

    assert [record.folder for record in records] == [folder.resolve() for folder in folders]
    assert problems == []


def test_half_a_line_is_left_out(make_run: MakeRun) -> None:
    folder = make_run("ours", POINTS)
    with (folder / "metrics.csv").open("a") as file:
        file.write("300,test_return_mean,4")

    assert read_record(folder).metrics["test_return_mean"].steps.tolist() == [0, 100, 200]


def test_torn_files_are_named_and_the_others_read(make_run: MakeRun, tmp_path: Path) -> None:
    make_run("ours", POINTS)
    torn = make_run("ours", POINTS)
    (torn / "config.json").write_text('{"name": ')

    records, problems = find_records([tmp_path])

    assert len(records) == 1
    assert len(problems) == 1
    assert f"{torn}/config.json cannot be read" in problems[0]


@pytest.mark.parametrize(
    ("content", "reason"),
    [({"x": {"steps": [1], "values": [1, 2], "timestamps": [""]}}, "1 steps, 2 values"),
     ({"x": 3}, "TypeError")],
)  # fmt: skip
def test_metrics_of_no_known_form_are_refused(
    make_run: MakeRun, content: object, reason: str
) -> None:
    folder = make_run("epymarl", POINTS)
    (folder / "metrics.json").write_text(json.dumps(content))

    with pytest.raises(UserError, match=reason):
        read_record(folder).metrics  # noqa: B018


def test_a_run_that_says_running_but_is_silent_is_lost(make_run: MakeRun) -> None:
    folder = make_run("ours", POINTS, status="RUNNING")
    silent = read_record(folder)
    now = datetime.now(UTC).replace(tzinfo=None).isoformat()
    (folder / "run.json").write_text(json.dumps({"status": "RUNNING", "heartbeat": now}))

    assert silent.status == "LOST"
    assert read_record(folder).status == "RUNNING"


def test_no_folder_is_told(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="is no folder"):
        find_records([tmp_path / "nowhere"])
