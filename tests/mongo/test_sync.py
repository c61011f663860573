"""Runs that are in files alone are sent later."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from launch import launch
from main import main
from mongo.sync import sort_out
from records.resume import locked
from tests.mongo.compare import points_of_database, points_of_folder, without_ids
from tests.mongo.conftest import RUN, Train
from tests.mongo.server import Mongod, free_port
from tests.support import Results


def sync(results: Results, address: str, *words: str) -> int:
    return main(["sync", *words, "-m", address, f"local_results_path={results.root}"])


def test_a_synced_run_is_the_same_as_a_live_one(
    mongod: Mongod, train: Train, results: Results
) -> None:
    train(mongo=mongod.address("live"))
    assert sync(results, mongod.address("later"), "1") == 0

    live, later = mongod.database("live"), mongod.database("later")
    assert without_ids(live.runs.find_one()) == without_ids(later.runs.find_one())
    assert points_of_database(live, 1) == points_of_database(later, 1)
    assert sorted(f["filename"] for f in live["fs.files"].find()) == sorted(
        f["filename"] for f in later["fs.files"].find()
    )


def test_sync_sends_what_is_missing_and_nothing_twice(
    mongod: Mongod, train: Train, results: Results, capfd: pytest.CaptureFixture[str]
) -> None:
    address = mongod.address("missing")
    train(mongo=address)
    train()
    capfd.readouterr()

    for expected in ("1 of 2 runs to send", "0 of 2 runs to send"):
        assert sync(results, address) == 0
        assert expected in capfd.readouterr().out
    assert sync(results, address, "1", "2") == 0  # by name: again, which changes nothing

    database = mongod.database("missing")
    for run_id in (1, 2):
        assert points_of_database(database, run_id) == points_of_folder(results, run_id)


def test_numbers_that_are_taken_are_changed_and_that_is_said(
    mongod: Mongod, train: Train, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    address = mongod.address("taken")
    here, there = Results(tmp_path / "here"), Results(tmp_path / "there")
    for place in (here, there):
        train(place=place)
        assert sync(place, address) == 0
    assert sync(there, address, "1") == 0  # found again under its other number

    assert "Run 1 is number 2 in MongoDB" in capfd.readouterr().out
    database = mongod.database("taken")
    assert [d["_id"] for d in database.runs.find().sort("_id")] == [1, 2]
    assert points_of_database(database, 2) == points_of_folder(there, 1)


def test_a_killed_run_is_interrupted_and_a_running_one_left_alone(
    mongod: Mongod, train: Train, results: Results, capfd: pytest.CaptureFixture[str]
) -> None:
    train()
    path = results.folder() / "run.json"
    entry = json.loads(path.read_text())
    entry.update(status="RUNNING", stop_time=None)
    path.write_text(json.dumps(entry))
    (results.folder() / "checksums.json").unlink()  # as the message about a changed file says
    address = mongod.address("killed")

    with locked(results.models):
        assert sync(results, address) == 1
    assert "still going" in capfd.readouterr().out
    assert sync(results, address) == 0
    assert mongod.database("killed").runs.find_one()["status"] == "INTERRUPTED"


@pytest.fixture(scope="module")
def two_runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Results that a test may copy."""
    root = tmp_path_factory.mktemp("two")
    for _ in range(2):
        launch([*RUN, f"local_results_path={root}"])
    return root


@pytest.mark.parametrize(
    ("name", "content"),
    [("run.json", "{"), ("run.json", "{}"), ("metrics.json", "{"), ("metrics.csv", None)],
)
def test_a_run_with_torn_files_is_left_out_and_the_others_sent(
    mongod: Mongod,
    two_runs: Path,
    results: Results,
    capfd: pytest.CaptureFixture[str],
    name: str,
    content: str | None,
) -> None:
    shutil.copytree(two_runs, results.root)
    path = results.root / "sacred/1" / name
    if content is None:
        path.unlink()
    else:
        path.write_text(content)
    database = f"torn_{name.replace('.', '_')}_{len(content or '')}"

    assert sync(results, mongod.address(database)) == 1
    told = capfd.readouterr().out
    assert "run 1: left out. " in told
    assert name in told
    arrived = mongod.database(database).runs.find({"status": "COMPLETED"})
    assert [document["_id"] for document in arrived] == [2]


def test_sync_says_what_it_lacks(
    two_runs: Path, results: Results, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.copytree(two_runs, results.root)
    place = f"local_results_path={results.root}"

    assert main(["sync", place]) == 2
    assert "sync needs the database" in capsys.readouterr().err
    assert sync(results, f"localhost:{free_port()}:nobody") == 2
    assert "is not available (no answer)" in capsys.readouterr().err
    assert main(["sync", "7", place, "-m", "localhost:1:x"]) == 2
    assert "There is no run 7" in capsys.readouterr().err


@pytest.mark.parametrize(
    "words", [["-m", "h:1:d", "3"], ["3", "with", "mongo=h:1:d"], ["--mongo_db=h:1:d", "3"]]
)
def test_the_address_may_be_typed_as_for_a_run(words: list[str]) -> None:
    assert sort_out(words) == ("h:1:d", ["3"])
