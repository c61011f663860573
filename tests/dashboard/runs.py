"""Result folders where a test wants them, with what run.json says."""

from __future__ import annotations

import json
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from tests.reporting.conftest import WRITERS

WON = "test_battle_won_mean"
Points = Iterable[tuple[int, float]]


def moment(seconds_ago: float) -> str:
    """As Sacred writes it: UTC, unsaid."""
    then = datetime.now(UTC) - timedelta(seconds=seconds_ago)
    return then.replace(tzinfo=None).isoformat()


def make_run(
    folder: Path,
    points: Points,
    *,
    form: str = "ours",
    metric: str = WON,
    config: dict[str, Any] | None = None,
    run: dict[str, Any] | None = None,
    environment: dict[str, Any] | None = None,
) -> Path:
    """Ten steps a second."""
    folder.mkdir(parents=True)
    usual = {"name": "qmix", "env": "sc2", "seed": 1, "env_args": {"map_name": "3m"}}
    (folder / "config.json").write_text(json.dumps(usual | (config or {})))
    known = {"status": "COMPLETED", "start_time": moment(100), "heartbeat": moment(5)}
    (folder / "run.json").write_text(json.dumps(known | (run or {})))
    WRITERS[form](folder, metric, dict(points), {"environment": environment} if environment else {})
    return folder


def append(folder: Path, *rows: str) -> None:
    """As a run that goes on does."""
    with (folder / "metrics.csv").open("a") as file:
        file.write("".join(f"{row}\n" for row in rows))
