"""Results folders as this project, PyMARL and EPyMARL leave them."""

from __future__ import annotations

import json
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

Points = Iterable[tuple[int, float]]


def moment(seconds_ago: float = 0.0) -> str:
    """As Sacred writes it: UTC, unsaid."""
    then = datetime.now(UTC) - timedelta(seconds=seconds_ago)
    return then.replace(tzinfo=None).isoformat()


def our_run(
    folder: Path,
    points: Points,
    *,
    metric: str = "test_battle_won_mean",
    config: dict[str, Any] | None = None,
    run: dict[str, Any] | None = None,
    environment: dict[str, Any] | None = None,
) -> Path:
    """A value a second."""
    _begin(folder, config or {}, run or {})
    rows = [f"{step},{metric},{value!r},{i}.0" for i, (step, value) in enumerate(points)]
    (folder / "metrics.csv").write_text("\n".join(["t_env,name,value,seconds", *rows, ""]))
    if environment is not None:
        (folder / "info.json").write_text(json.dumps({"environment": environment}))
    return folder


def pymarl_run(folder: Path, points: Points, **extra: Any) -> Path:
    """`info.json` alone: lists NAME and NAME_T; `run.json` says RUNNING for ever."""
    _begin(folder, {}, {"status": "RUNNING", "heartbeat": moment(1e6)})
    steps, values = zip(*points, strict=True)
    info = {"test_battle_won_mean": values, "test_battle_won_mean_T": steps}
    (folder / "info.json").write_text(json.dumps({**info, **extra}))
    (folder / "metrics.json").write_text("{}")
    return folder


def epymarl_run(folder: Path, points: Points) -> Path:
    """`metrics.json`: steps, values, timestamps; a test every ten seconds."""
    began = datetime(2026, 1, 1, 12, 0, 0)
    _begin(folder, {}, {"status": "COMPLETED", "start_time": began.isoformat()})
    steps, values = zip(*points, strict=True)
    times = [(began + timedelta(seconds=10 * (i + 1))).isoformat() for i in range(len(steps))]
    entry = {"steps": steps, "values": values, "timestamps": times}
    (folder / "metrics.json").write_text(json.dumps({"test_return_mean": entry}))
    (folder / "info.json").write_text("{}")
    return folder


def _begin(folder: Path, config: dict[str, Any], run: dict[str, Any]) -> None:
    folder.mkdir(parents=True)
    usual = {"name": "qmix", "env": "sc2", "seed": 1, "env_args": {"map_name": "3m"}}
    (folder / "config.json").write_text(json.dumps(usual | config))
    known = {"status": "COMPLETED", "start_time": moment(100), "heartbeat": moment(5)}
    (folder / "run.json").write_text(json.dumps(known | run))
