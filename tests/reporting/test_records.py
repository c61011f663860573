"""Runs of three projects, whole and torn, read as records."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest

from records.run_files import UnreadableRunError
from reporting.records import find_records, read_record
from tests.reporting.conftest import MakeRun, amend

WINS = "test_battle_won_mean"
POINTS = {100: 0.25, 200: 0.75, 300: 0.5}
TENSOR = {"py/reduce": [{"py/function": "torch._utils._rebuild_tensor_v2"}, {"py/tuple": []}]}


def test_our_run_has_steps_values_and_seconds(make_run: MakeRun) -> None:
    record = read_record(make_run("ours", POINTS, WINS))
    series = record.metrics["test_battle_won_mean"]

    assert series.steps.tolist() == [100, 200, 300]
    assert series.values.tolist() == [0.25, 0.75, 0.5]
    assert series.seconds.tolist() == [10, 20, 30]
    assert (record.name, record.task, record.seed) == ("vdn", "sc2/3m", 1)
    assert (record.status, record.last_step) == ("COMPLETED", 300)


def test_a_run_of_pymarl_has_no_times(make_run: MakeRun) -> None:
    series = read_record(make_run("pymarl", POINTS, WINS)).metrics["test_battle_won_mean"]

    assert dict(zip(series.steps, series.values, strict=True)) == POINTS
    assert np.isnan(series.seconds).all()


def test_tensors_that_sacred_pickled_cost_their_metric_only(make_run: MakeRun) -> None:
    folder = make_run("pymarl", POINTS, WINS)
    amend(folder / "info.json", grad_norm=[TENSOR] * 2, grad_norm_T=[100, 200])

    assert list(read_record(folder).metrics) == ["test_battle_won_mean"]


def test_numbers_of_numpy_are_read(make_run: MakeRun) -> None:
    number = {"py/object": "numpy.float64", "dtype": "float64", "value": 0.125}
    folder = make_run("pymarl", POINTS, WINS)
    amend(folder / "info.json", loss=[number, TENSOR], loss_T=[100, 200])
    values = read_record(folder).metrics["loss"].values

    assert values[0] == 0.125
    assert np.isnan(values[1])


def test_an_entry_written_halfway_is_left_out(make_run: MakeRun) -> None:
    folder = make_run("pymarl", POINTS, WINS)
    amend(folder / "info.json", loss=[1.0, 2.0, 3.0], loss_T=[100, 200])

    assert read_record(folder).metrics["loss"].values.tolist() == [1, 2]


def test_a_run_of_epymarl_has_times_since_its_start(make_run: MakeRun) -> None:
    series = read_record(make_run("epymarl", POINTS)).metrics["test_return_mean"]

    assert dict(zip(series.steps, series.values, strict=True)) == POINTS
    assert series.seconds.tolist() == [10, 20, 30]


def test_runs_are_found_however_deep_they_lie(make_run: MakeRun, tmp_path: Path) -> None:
    for form in ("ours", "epymarl", "pymarl"):
        make_run(form, POINTS)
    deep = tmp_path / "ours" / "sacred" / "qmix" / "3m" / "10"
    (tmp_path / "epymarl" / "sacred" / "2").rename(deep.parent.parent.parent / "10")
    (tmp_path / "pymarl" / "sacred" / "3").rename(_made(deep))
    (tmp_path / "ours" / "sacred" / "_sources").mkdir()
    records, problems = find_records([tmp_path])

    assert [record.run_id for record in records] == ["1", "10", "10"]
    assert problems == []


def _made(folder: Path) -> Path:
    folder.parent.mkdir(parents=True)
    return folder


@pytest.mark.parametrize(
    ("status", "heartbeat", "shown"),
    [("RUNNING", 5, "RUNNING"), ("RUNNING", 500, "LOST"), ("FAILED", 500, "FAILED")],
)
def test_a_run_long_unheard_of_is_lost(
    make_run: MakeRun, status: str, heartbeat: float, shown: str
) -> None:
    heard = datetime.now(UTC) - timedelta(seconds=heartbeat)

    assert read_record(make_run("ours", POINTS, status=status, heard=heard)).status == shown


def test_torn_files_are_named_and_the_others_read(make_run: MakeRun, tmp_path: Path) -> None:
    make_run("ours", POINTS)
    torn = make_run("ours", POINTS) / "config.json"
    torn.write_text('{"name": "qm')
    records, problems = find_records([tmp_path])

    assert [record.run_id for record in records] == ["1"]
    assert len(problems) == 1
    assert str(torn) in problems[0]


def test_torn_numbers_name_their_file(make_run: MakeRun) -> None:
    folder = make_run("pymarl", POINTS, WINS)
    (folder / "info.json").write_text('{"test_battle_won_mean": [0.5, ')
    record = read_record(folder)

    with pytest.raises(UnreadableRunError, match=r"info\.json cannot be read"):
        _ = record.metrics


@pytest.mark.parametrize("torn", [b"400,test_batt", b"400,test_battle_won_mean,", b"\xff\xfe\x00"])
def test_half_a_line_is_no_value(make_run: MakeRun, torn: bytes) -> None:
    folder = make_run("ours", POINTS, WINS)
    with (folder / "metrics.csv").open("ab") as file:
        file.write(torn)

    assert read_record(folder).metrics["test_battle_won_mean"].steps.tolist() == [100, 200, 300]


def test_the_environment_is_known_right_after_a_resume(make_run: MakeRun) -> None:
    folder = make_run("ours", POINTS, WINS)
    told = {"environment": {"engine": "1.1"}, "earlier_environments": [{"engine": "1.0"}]}
    (folder / "info.json").rename(folder / "info.before_resume.json")
    amend(folder / "info.before_resume.json", **told)
    record = read_record(folder)

    assert record.environment == {"engine": "1.1"}
    assert record.earlier_environments == [{"engine": "1.0"}]


@pytest.mark.parametrize(
    "content",
    [
        b"99999999999999999999,loss,1.0,1\n",
        b'1,"' + b"x" * 200_000 + b'",1.0,1\n',
    ],
    ids=["a step that is no step", "a field without end"],
)
def test_numbers_that_cannot_be_are_torn_files(make_run: MakeRun, content: bytes) -> None:
    folder = make_run("ours", {10: 1.0})
    (folder / "metrics.csv").write_bytes(content)

    with pytest.raises(UnreadableRunError, match=r"metrics\.csv"):
        read_record(folder).metrics  # noqa: B018


@pytest.mark.parametrize(
    "content", [b'{"env": null}', b"[" * 100_000, b'{"env": "sc2", "name": "\xff"}', b""]
)
def test_settings_that_cannot_be_are_torn_files(make_run: MakeRun, content: bytes) -> None:
    folder = make_run("ours", {10: 1.0})
    (folder / "config.json").write_bytes(content)

    with pytest.raises(UnreadableRunError, match=r"config\.json"):
        read_record(folder)
