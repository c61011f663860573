"""Runs that go into a database while they go on."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import Any

import pytest
from pymongo.errors import AutoReconnect
from sacred.observers import MongoObserver

import launch as launching
from mongo.store import Store
from records.tracking import make_experiment
from tests.mongo.compare import points_of_database, points_of_folder, without_ids
from tests.mongo.conftest import RUN, Train
from tests.mongo.server import Mongod, free_port
from tests.mongo.test_kills import once_it_logs, stop_politely
from tests.support import Results
from utils.errors import UserError


def test_the_document_is_the_one_that_sacred_would_have_written(
    mongod: Mongod, train: Train, results: Results, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = f"mongodb://localhost:{mongod.port}"

    def with_both(*args: Any) -> Any:
        experiment = make_experiment(*args)
        experiment.observers.append(MongoObserver(url, db_name="theirs", priority=15))
        return experiment

    monkeypatch.setattr(launching, "make_experiment", with_both)

    train(mongo=mongod.address("ours"))

    ours, theirs = (mongod.database(name) for name in ("ours", "theirs"))
    (document,), (reference,) = list(ours.runs.find()), list(theirs.runs.find())
    assert without_ids(document) == without_ids(reference)
    assert points_of_database(ours, 1) == points_of_database(theirs, 1)
    assert points_of_database(ours, 1) == points_of_folder(results, 1)


def test_sources_and_artifacts_can_be_read_back_and_sources_are_stored_once(
    mongod: Mongod, train: Train, results: Results
) -> None:
    train(mongo=mongod.address("files"))
    train(mongo=mongod.address("files"))

    database = mongod.database("files")
    first, second = database.runs.find().sort("_id")
    assert first["experiment"]["sources"] == second["experiment"]["sources"]
    names = {name: file_id for name, file_id in first["experiment"]["sources"]}
    chunk = database["fs.chunks"].find_one({"files_id": names["src/main.py"]})
    assert chunk["data"] == launching.MAIN.read_bytes()
    (artifact,) = first["artifacts"]
    chunk = database["fs.chunks"].find_one({"files_id": artifact["file_id"]})
    assert artifact["name"] == "metrics.csv"
    assert chunk["data"] == (results.folder(1) / "metrics.csv").read_bytes()


def test_two_machines_share_a_database_and_no_number(
    mongod: Mongod, train: Train, tmp_path: Path
) -> None:
    here, there = Results(tmp_path / "here"), Results(tmp_path / "there")
    for place in (here, there, there, here):
        train(mongo=mongod.address("shared"), place=place)

    assert sorted(p.name for p in (here.root / "sacred").glob("[0-9]*")) == ["1", "4"]
    assert sorted(p.name for p in (there.root / "sacred").glob("[0-9]*")) == ["2", "3"]
    for number, place in ((1, here), (2, there), (3, there), (4, here)):
        config = mongod.database("shared").runs.find_one({"_id": number})["config"]
        assert config["unique_token"] == place.json("config.json", number)["unique_token"]


def test_a_resumed_run_goes_on_in_its_document(
    mongod: Mongod, train: Train, results: Results
) -> None:
    """What came after the checkpoint is played again: the database forgets it, as the files do."""
    address = mongod.address("resumed")
    event = once_it_logs(results.folder(), stop_politely)
    words = ("t_max=100000", "checkpoint_interval=20")
    assert train(*words, mongo=address) == 128 + signal.SIGTERM
    event.join()
    stopped_at = int(results.metrics()[-1][0])

    # As if the values of a later test had arrived before the process was killed.
    lost = {"steps": stopped_at + 1, "values": 1.0, "timestamps": None}
    database = mongod.database("resumed")
    database.metrics.update_many({"run_id": 1}, {"$push": lost})
    database.metrics.insert_one(
        {"run_id": 1, "name": "gone", "steps": [1], "values": [1.0], "timestamps": [None]}
    )
    words = ("resume=1", f"t_max={stopped_at + 40}", f"local_results_path={results.root}")
    assert launching.launch(["with", *words]).exit_code == 0

    (document,) = database.runs.find()
    assert document["status"] == results.status() == "COMPLETED"
    assert [s["status"] for s in document["earlier_sessions"]] == ["INTERRUPTED"]
    assert points_of_database(database, 1) == points_of_folder(results, 1)


def test_without_a_database_the_run_is_the_same_and_says_so_once(
    train: Train, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    plain, alone = Results(tmp_path / "plain"), Results(tmp_path / "alone")
    train("seed=1", place=plain)
    capfd.readouterr()
    train("seed=1", mongo=f"localhost:{free_port()}:nobody", place=alone)

    output = capfd.readouterr()
    assert (output.out + output.err).count("MongoDB") == 1
    assert "is not available (no answer)" in output.out
    (folder,) = (alone.root / "sacred").glob("[0-9]*")
    run_id = int(folder.name)
    assert run_id > 10**12  # the time: no other machine has this number
    assert alone.metrics(run_id) == plain.metrics()
    assert alone.status(run_id) == "COMPLETED"


def test_a_password_is_in_no_file_and_no_message(
    mongod: Mongod, train: Train, results: Results, capfd: pytest.CaptureFixture[str]
) -> None:
    url = f"mongodb://ada:lovelace@localhost:{mongod.port}/secret"
    train(mongo=url)

    output = capfd.readouterr()
    assert "is not available (Authentication failed" in output.out
    assert "ada:***@localhost" in output.out
    assert "lovelace" not in output.out + output.err
    for path in results.root.rglob("*"):
        assert path.is_dir() or b"lovelace" not in path.read_bytes(), path


def test_an_id_of_ones_own_is_a_number(
    mongod: Mongod, results: Results, capfd: pytest.CaptureFixture[str]
) -> None:
    words = [*RUN, f"mongo={mongod.address('ids')}", f"local_results_path={results.root}"]
    with pytest.raises(UserError, match="-i mine cannot be"):
        launching.launch(["-i", "mine", *words])
    assert launching.launch(["-i", "7", *words]).exit_code == 0

    runs = mongod.database("ids").runs
    document = runs.find_one({"_id": 7})
    assert results.status(7) == document["status"]
    with pytest.raises(UserError, match=r"there is such a run.*resume=7"):
        launching.launch(["-i", "7", *words])
    assert runs.find_one({"_id": 7}) == document


def test_a_database_that_goes_while_a_number_is_taken_leaves_nothing_behind(
    mongod: Mongod, train: Train, results: Results, monkeypatch: pytest.MonkeyPatch
) -> None:
    def gone(*args: Any) -> bool:
        monkeypatch.undo()
        raise AutoReconnect("gone")

    monkeypatch.setattr(Store, "reserve", gone)
    assert train(mongo=mongod.address("going")) == 0

    (folder,) = (results.root / "sacred").glob("[0-9]*")
    (document,) = mongod.database("going").runs.find()
    assert int(folder.name) == document["_id"] > 10**12
    assert document["status"] == "COMPLETED"


def test_the_environment_variable_is_a_setting(
    mongod: Mongod, train: Train, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(os.environ, "PYMARLK_MONGO", mongod.address("variable"))
    train()
    train("mongo=null")

    assert mongod.database("variable").runs.count_documents({}) == 1
