"""A run's folder as it is written."""

from __future__ import annotations

import errno
import json
import os
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from pathlib import Path

import pytest
from sacred.run import Run

from records.commit import commit_of
from records.tracking import MAIN, RunFolder, make_experiment, output_kept


def test_two_threads_may_write_the_same_file(tmp_path: Path) -> None:
    """Sacred's heartbeat and the end of a run, where a slow disk lets them meet."""
    folder = RunFolder(tmp_path, resumed=False)
    folder.dir = str(tmp_path)
    entries = [{"writer": n, "text": str(n) * 5000} for n in range(40)]
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda entry: folder.save_json(entry, "run.json"), entries))

    assert json.loads((tmp_path / "run.json").read_text()) in entries


Started = Callable[[], RunFolder]


@pytest.fixture
def started(tmp_path: Path) -> Started:
    def start() -> RunFolder:
        folder = RunFolder(tmp_path, resumed=False)
        info = {"base_dir": str(tmp_path), "sources": []}
        folder.started_event(info, "main", {}, datetime.now(), {"seed": 1}, {}, "1")
        return folder

    return start


def no_room(*args: object) -> None:
    raise OSError(errno.ENOSPC, "No space left on device")


def beat(folder: RunFolder, steps: list[int]) -> None:
    values = [float(step) for step in steps]
    metrics = {"loss": {"values": values, "steps": steps, "timestamps": []}}
    folder.log_metrics(metrics, {})
    folder.heartbeat_event({"loss": values}, "said", datetime.now(), None)


def test_what_found_no_room_is_written_with_the_next_beat(
    started: Started, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    folder = started()
    beat(folder, [1])
    with monkeypatch.context() as full:
        full.setattr(os, "replace", no_room)
        beat(folder, [2])
        assert folder.unwritten is not None
    beat(folder, [3])
    folder.completed_event(datetime.now(), 1.0)

    folder.require_written()
    assert json.loads((tmp_path / "1" / "metrics.json").read_text())["loss"]["steps"] == [1, 2, 3]
    assert json.loads((tmp_path / "1" / "run.json").read_text())["status"] == "COMPLETED"
    assert not list(tmp_path.rglob(".*.part"))


def test_a_run_whose_record_is_not_whole_has_failed(
    started: Started, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    folder = started()
    with monkeypatch.context() as full:
        full.setattr(os, "replace", no_room)
        beat(folder, [1])
    folder.completed_event(datetime.now(), 1.0)

    with pytest.raises(OSError, match="No space left"):
        folder.require_written()
    assert json.loads((tmp_path / "1" / "run.json").read_text())["status"] == "FAILED"


def test_a_run_without_a_record_fails_quietly(tmp_path: Path) -> None:
    RunFolder(tmp_path, resumed=False).failed_event(datetime.now(), [])

    assert not list(tmp_path.iterdir())


def test_the_output_of_a_run_that_fails_is_kept(tmp_path: Path) -> None:
    def main(_run: Run) -> None:
        with output_kept(_run):
            sys.stdout.write("the last words\n")
            raise ValueError("what went wrong")

    folder = RunFolder(tmp_path, resumed=False)
    experiment = make_experiment({"seed": 1}, folder, commit_of(MAIN), main)
    with pytest.raises(ValueError, match="what went wrong"):
        experiment.run("main")

    assert json.loads((tmp_path / "1" / "run.json").read_text())["status"] == "FAILED"
    assert (tmp_path / "1" / "cout.txt").read_text() == "the last words\n"
