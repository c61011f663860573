"""Runs whose folders are from somewhere else."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from records.resume import read_run


@pytest.mark.parametrize("token", ["../elsewhere", "..", "", "/tmp/elsewhere", 7, None])
def test_checkpoints_never_lead_out_of_the_results(tmp_path: Path, token: object) -> None:
    folder = tmp_path / "sacred" / "1"
    folder.mkdir(parents=True)
    config = {"name": "a", "env": "b", "env_args": {}, "t_max": 1, "seed": 1}
    (folder / "config.json").write_text(json.dumps({**config, "unique_token": token}))
    assert read_run(tmp_path, "1") is None

    (folder / "config.json").write_text(json.dumps({**config, "unique_token": "qmix__1"}))
    assert read_run(tmp_path, "1") is not None
