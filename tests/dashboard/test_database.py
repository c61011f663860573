"""Runs in a real MongoDB, as Sacred's observer leaves them there."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from pymongo import WriteConcern

from dashboard.database import DatabaseRuns
from tests.dashboard.conftest import Visitor
from tests.dashboard.runs import WON, make_run
from tests.mongo.server import Mongod, free_port, running
from tests.support import PATIENCE

Visit = Callable[..., Visitor]
BEGAN = datetime.now(UTC).replace(tzinfo=None, microsecond=0) - timedelta(seconds=60)


@pytest.fixture(scope="module")
def mongod(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mongod]:
    with running(tmp_path_factory.mktemp("mongod") / "data") as found:
        yield found


def insert(database: Any, number: int, values: list[float], **entry: Any) -> None:
    config = {"name": "qmix", "env": "sc2", "env_args": {"map_name": "3m"}, "seed": number}
    document = {
        "_id": number,
        "config": config | {"t_max": 1000, "unique_token": f"token {number}"},
        "status": "COMPLETED",
        "start_time": BEGAN,
        "heartbeat": BEGAN + timedelta(seconds=50),
        "host": {"hostname": "far"},
        "info": {"environment": {"game": "4.10"}},
        "captured_out": "hello\n",
    }
    database.runs.insert_one(document | entry)
    times = [BEGAN + timedelta(seconds=10 * i) for i in range(len(values))]
    series = {"steps": [100 * i for i in range(len(values))], "values": values}
    database.metrics.insert_one({"run_id": number, "name": WON, "timestamps": times, **series})


def test_runs_of_a_database(mongod: Mongod, visit: Visit) -> None:
    database = mongod.database("seen")
    insert(database, 1, [0.1, 0.9, 0.5])
    insert(database, 2, [0.1], status="FAILED", fail_trace=["ValueError\n"])
    database.runs.insert_one({"_id": 3, "config": {"not": "ours"}})
    visitor = visit(f"mongo={mongod.address('seen')}")
    answer = visitor.ask("runs")
    assert [(line["run_id"], line["status"]) for line in answer["runs"]] == [
        ("1", "COMPLETED"),
        ("2", "FAILED"),
    ]
    assert "run 3 names no environment" in answer["problems"][0]
    line = answer["runs"][0]
    assert (line["step"], line["last"], line["best"], line["seconds"]) == (200, 0.5, 0.9, 20.0)
    curves = visitor.ask("curves", run=line["key"], metric=WON, axis="seconds")["charts"]
    assert curves[0]["curves"][0]["x"] == [0.0, 10.0, 20.0]
    failed = visitor.ask("run", run=visitor.key("2"))
    assert (failed["fail_trace"], failed["environment"]) == ("ValueError\n", {"game": "4.10"})
    assert visitor.ask("console", run=visitor.key("2"))["text"] == "hello\n"


def test_a_running_one_grows_and_only_it_is_fetched_again(mongod: Mongod, visit: Visit) -> None:
    database = mongod.database("growing")
    now = datetime.now(UTC).replace(tzinfo=None)
    insert(database, 1, [0.1])
    insert(database, 2, [0.1], status="RUNNING", heartbeat=now)
    visitor = visit(f"mongo={mongod.address('growing')}")
    before = visitor.lines()
    assert before["2"]["status"] == "RUNNING"
    more = {"steps": 100, "values": 0.7, "timestamps": now}
    database.metrics.update_one({"run_id": 2}, {"$push": more})
    database.runs.update_one({"_id": 2}, {"$set": {"heartbeat": now + timedelta(seconds=1)}})
    after = visitor.lines()
    assert after["2"]["last"] == 0.7
    assert after["1"]["version"] == before["1"]["version"]


def test_unchanged_ones_are_not_fetched_again(
    mongod: Mongod, visit: Visit, monkeypatch: pytest.MonkeyPatch
) -> None:
    database = mongod.database("still")
    insert(database, 1, [0.1])
    insert(database, 2, [0.2])
    database.runs.insert_one({"_id": 3, "config": {"not": "ours"}})
    fetched = []
    run_from = DatabaseRuns._known_from

    def told(runs: DatabaseRuns, document: dict[str, Any]) -> Any:
        fetched.append(document["_id"])
        return run_from(runs, document)

    monkeypatch.setattr(DatabaseRuns, "_known_from", told)
    visitor = visit(f"mongo={mongod.address('still')}")
    before = visitor.ask("runs")
    assert sorted(fetched) == [1, 2, 3]
    assert visitor.ask("runs")["problems"] == before["problems"] != []
    database.runs.update_one({"_id": 1}, {"$set": {"status": "FAILED"}})
    insert(database, 4, [0.4])
    database.runs.delete_one({"_id": 2})
    fetched.clear()
    after = visitor.lines()
    assert sorted(fetched) == [1, 4]
    assert list(after) == ["1", "4"]
    assert after["1"]["status"] == "FAILED"


def test_pymarl_lists_in_info(mongod: Mongod, visit: Visit) -> None:
    """Where nobody called log_scalar, the numbers are in info."""
    database = mongod.database("lists")
    insert(database, 1, [], info={WON: [0.25, 0.5], f"{WON}_T": [10, 20]})
    database.metrics.delete_many({})
    assert visit(f"mongo={mongod.address('lists')}").lines()["1"]["last"] == 0.5


def test_a_run_in_both_is_shown_once(mongod: Mongod, visit: Visit, tmp_path: Path) -> None:
    insert(mongod.database("both"), 7, [0.1])
    make_run(tmp_path / "7", [(10, 0.9)], config={"unique_token": "token 7"})
    (line,) = visit(tmp_path, f"mongo={mongod.address('both')}").ask("runs")["runs"]
    assert line["last"] == 0.9


def test_a_database_that_goes_and_comes_back(
    mongod: Mongod, visit: Visit, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dashboard.database.TRY_AGAIN", 0.0)
    monkeypatch.setattr("dashboard.database.ANSWER_WITHIN", 300)
    on_disk = WriteConcern(j=True)  # else what was written last is lost with the server
    insert(mongod.database("away").with_options(write_concern=on_disk), 1, [0.25])
    visitor = visit(f"mongo={mongod.address('away')}")
    assert visitor.lines()["1"]["last"] == 0.25
    mongod.kill()
    answer = visitor.ask("runs")
    assert "does not answer" in answer["problems"][0]
    assert answer["runs"][0]["last"] == 0.25  # what was known stays
    mongod.start()
    until = time.monotonic() + PATIENCE  # it repairs itself, and the driver looks now and then
    while answer["problems"] and time.monotonic() < until:
        answer = visitor.ask("runs")
    assert (answer["problems"], answer["runs"][0]["last"]) == ([], 0.25)


def test_one_that_was_never_there_costs_no_page(
    visit: Visit, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dashboard.database.ANSWER_WITHIN", 100)
    make_run(tmp_path / "1", [(10, 0.9)])
    visitor = visit(tmp_path, f"mongo=localhost:{free_port()}:none")
    assert "1" in visitor.lines()
    assert "does not answer" in visitor.ask("runs")["problems"][0]
