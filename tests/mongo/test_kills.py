"""The database is killed and comes back while runs go on; nothing may be missing afterwards."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from configuration.mongo import parse_address
from mongo.live import is_delivered
from mongo.store import Store
from tests.mongo.compare import points_of_database, points_of_folder
from tests.mongo.conftest import Train
from tests.mongo.server import Mongod
from tests.support import PATIENCE, Results
from utils.errors import UserError

RUNS, KILLED_DURING, FAILS, IS_STOPPED = 6, (2, 6), 3, 5


def once_it_logs(folder: Path, do: Callable[[], None]) -> threading.Thread:
    """`do` in the middle of the run of `folder`: when some values are written."""

    def wait() -> None:
        path, deadline = folder / "metrics.csv", time.monotonic() + PATIENCE
        while time.monotonic() < deadline:
            if path.exists() and path.read_text().count("\n") > 30:
                return do()
            time.sleep(0.005)
        raise TimeoutError(folder)

    thread = threading.Thread(target=wait)
    thread.start()
    return thread


def stop_politely() -> None:
    os.kill(os.getpid(), signal.SIGTERM)


@pytest.mark.slow
def test_six_runs_and_two_kills(
    mongod: Mongod, results: Results, train: Train, capfd: pytest.CaptureFixture[str]
) -> None:
    address = mongod.address("kills")

    def kill_and_restart() -> None:
        mongod.kill()
        time.sleep(4.0)  # longer than a write waits for a server, so that the loss is noticed
        mongod.start()

    for run_id in range(1, RUNS + 1):
        happening = {**dict.fromkeys(KILLED_DURING, kill_and_restart), IS_STOPPED: stop_politely}
        folder = results.folder(run_id)
        event = once_it_logs(folder, happening[run_id]) if run_id in happening else None
        if run_id == FAILS:
            with pytest.raises(UserError, match="best_metric"):
                train("best_metric=nothing", mongo=address)
        elif run_id == IS_STOPPED:
            assert train("t_max=100000", mongo=address) == 128 + signal.SIGTERM
        else:
            steps = 300 if event else 40  # long enough for the database to come back meanwhile
            assert train(f"seed={run_id}", f"t_max={steps}", mongo=address) == 0
        if event:
            event.join()

    output = capfd.readouterr().out
    assert output.count("MongoDB is lost") == output.count("MongoDB is back") == len(KILLED_DURING)
    database, store = mongod.database("kills"), Store(parse_address(address))
    statuses = {document["_id"]: document["status"] for document in database.runs.find()}
    special = {FAILS: "FAILED", IS_STOPPED: "INTERRUPTED"}
    assert statuses == {n: special.get(n, "COMPLETED") for n in range(1, RUNS + 1)}
    for run_id in range(1, RUNS + 1):
        assert points_of_database(database, run_id) == points_of_folder(results, run_id)
        assert results.status(run_id) == statuses[run_id]
        assert is_delivered(results.folder(run_id), store)
    store.close()
