"""Result folders in the three forms that are read."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

START = datetime(2026, 3, 1, tzinfo=UTC)
Points = dict[int, float]  # environment step -> value
MakeRun = Callable[..., Path]


@pytest.fixture
def make_run(tmp_path: Path) -> MakeRun:
    """`make_run(form, points, ...)` writes a run as "ours", "pymarl" or "epymarl" would."""

    def make(
        form: str,
        points: Points,
        metric: str = "test_return_mean",
        status: str = "COMPLETED",
        heard: datetime = START,
        environment: dict[str, Any] | None = None,
        **config: Any,
    ) -> Path:
        number = sum(1 for _ in tmp_path.rglob("config.json")) + 1
        folder = tmp_path / form / "sacred" / str(number)
        folder.mkdir(parents=True)
        usual = {"name": "vdn", "env": "sc2", "env_args": {"map_name": "3m"}, "seed": number}
        _write(folder / "config.json", usual | {"t_max": 1000} | config)
        times = {"start_time": _as_sacred(START), "heartbeat": _as_sacred(heard)}
        _write(folder / "run.json", {"status": status, **times})
        info = {} if environment is None else {"environment": environment}
        WRITERS[form](folder, metric, points, info)
        return folder

    return make


def amend(path: Path, **entries: Any) -> None:
    """Set entries of the object in a file."""
    _write(path, json.loads(path.read_text()) | entries)


def _as_sacred(moment: datetime) -> str:
    """In UTC, unsaid."""
    return moment.replace(tzinfo=None).isoformat()


def _write(path: Path, content: dict[str, Any]) -> None:
    path.write_text(json.dumps(content))


def _ours(folder: Path, metric: str, points: Points, info: dict[str, Any]) -> None:
    lines = ["t_env,name,value,seconds", *(f"{t},{metric},{v},{t / 10}" for t, v in points.items())]
    (folder / "metrics.csv").write_text("\n".join(lines) + "\n")
    _write(folder / "info.json", info)


def _pymarl(folder: Path, metric: str, points: Points, info: dict[str, Any]) -> None:
    values = [{"py/object": "numpy.float64", "value": v} for v in points.values()]
    _write(folder / "info.json", info | {metric: values, f"{metric}_T": list(points)})
    _write(folder / "metrics.json", {})


def _epymarl(folder: Path, metric: str, points: Points, info: dict[str, Any]) -> None:
    times = [_as_sacred(START + timedelta(seconds=t / 10)) for t in points]
    entry = {"steps": list(points), "values": list(points.values()), "timestamps": times}
    _write(folder / "metrics.json", {metric: entry})
    _write(folder / "info.json", info)


WRITERS = {"ours": _ours, "pymarl": _pymarl, "epymarl": _epymarl}
