"""Finished runs are found by what they learned, also while more are made."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from configuration import load_config
from records.resume import differences, identity, with_seed
from sweeps.known import KnownRuns


@pytest.fixture
def config(tmp_path: Path) -> dict[str, Any]:
    words = ["--config=qmix", "--env-config=grid", "with", "seed=1", "t_max=100"]
    return load_config([*words, f"local_results_path={tmp_path}"]).config


def write_run(config: dict[str, Any], run_id: int, status: str, at: int) -> None:
    folder = Path(config["local_results_path"]) / "sacred" / str(run_id)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "config.json").write_text(json.dumps({**config, "unique_token": f"t{run_id}"}))
    record = folder / "run.json"
    record.write_text(json.dumps({"status": status, "result": {"test_return_mean": 3.0}}))
    os.utime(record, (at, at))


def test_only_completed_runs_count(config: dict[str, Any]) -> None:
    write_run(config, 1, "FAILED", at=1)
    known = KnownRuns(Path(config["local_results_path"]))
    assert known.finished(identity(config), 100) is None
    assert known.begun(identity(config))  # there is something to go on with
    assert not known.begun(identity({**config, "seed": 2}))

    write_run(config, 1, "COMPLETED", at=2)
    known.refresh()
    found = known.finished(identity(config), 100)
    assert found is not None
    assert found.run_id == "1"
    assert known.result(found) == {"test_return_mean": 3.0}
    assert known.finished(identity({**config, "seed": 2}), 100) is None


def test_a_run_that_goes_on_to_a_larger_t_max_counts_when_it_is_there(
    config: dict[str, Any],
) -> None:
    write_run(config, 1, "COMPLETED", at=1)
    known = KnownRuns(Path(config["local_results_path"]))
    assert known.finished(identity(config), 200) is None

    write_run({**config, "t_max": 200}, 1, "COMPLETED", at=2)
    known.refresh()
    assert known.finished(identity(config), 200) is not None


def test_a_run_goes_on_only_with_what_it_is_known_by(config: dict[str, Any]) -> None:
    other = {**config, "env_args": {**config["env_args"], "seed": 9}}
    assert differences(with_seed(config, 1), config) == []
    assert differences(with_seed(other, 1), config) == ["env_args"]
    assert differences(with_seed(other, 1), {**config, "seed": None}) == []
