"""W&B's own package writes its files; they are read back and compared with the CSV."""

from __future__ import annotations

import json
import math
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from utils.config import load_config
from utils.errors import UserError
from utils.wandb_sink import WandbSink

CONFIG = load_config(
    ["--config=qmix", "--env-config=two_step", "use_wandb=True", "wandb_mode=offline", "seed=1"]
).config


class FakeWandb(SimpleNamespace):
    """Remembers what it is told; `refuses` is the mode that cannot be started."""

    def __init__(self, refuses: str = "") -> None:
        super().__init__(rows=[], modes=[], exit_codes=[], dir="results/wandb/run-1/files")
        self.errors = SimpleNamespace(Error=ConnectionError)
        self.Settings = SimpleNamespace
        self.refuses, self.torn_down = refuses, 0

    def init(self, mode: str, **kwargs: Any) -> Any:
        self.modes.append(mode)
        if mode == self.refuses:
            raise ConnectionError("no network\nlong story")
        return self

    def define_metric(self, *args: Any, **kwargs: Any) -> None: ...

    def teardown(self) -> None:
        self.torn_down += 1

    def log(self, row: dict[str, float]) -> None:
        self.rows.append(row)

    def finish(self, exit_code: int) -> None:
        self.exit_codes.append(exit_code)


@pytest.fixture
def config() -> dict[str, Any]:
    return {**CONFIG, "unique_token": "qmix__2026-01-01_10:00:00__abc"}


def make_sink(fake: FakeWandb, config: dict[str, Any], monkeypatch: Any, tmp_path: Path) -> Any:
    monkeypatch.setitem(sys.modules, "wandb", fake)
    return WandbSink(config, tmp_path)


def test_values_of_one_step_are_one_row(
    config: dict[str, Any], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    fake = FakeWandb()
    sink = make_sink(fake, config, monkeypatch, tmp_path)
    for key, value, t_env in (("a", 1.0, 5), ("b", 2.0, 5), ("a", 3.0, 5), ("a", 4.0, 9)):
        sink.write(key, value, t_env, 0.0)
    sink.close()

    assert fake.rows == [
        {"a": 1.0, "b": 2.0, "t_env": 5},
        {"a": 3.0, "t_env": 5},
        {"a": 4.0, "t_env": 9},
    ]
    assert fake.exit_codes == [0]


def test_a_run_that_fails_is_marked_as_failed(
    config: dict[str, Any], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    fake = FakeWandb()
    sink = make_sink(fake, config, monkeypatch, tmp_path)
    with pytest.raises(ZeroDivisionError):
        try:
            raise ZeroDivisionError
        finally:
            sink.close()

    assert fake.exit_codes == [1]


def test_without_a_connection_the_run_is_kept_on_disk(
    config: dict[str, Any],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    fake = FakeWandb(refuses="online")
    make_sink(fake, {**config, "wandb_mode": "online"}, monkeypatch, tmp_path)

    assert (fake.modes, fake.torn_down) == (["online", "offline"], 1)
    output = capsys.readouterr().out
    assert "W&B is not available (no network)" in output
    assert "wandb sync results/wandb/run-1" in output


def test_a_missing_package_is_named(
    config: dict[str, Any], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setitem(sys.modules, "wandb", None)
    with pytest.raises(UserError, match=r"pip install -r requirements/wandb\.txt"):
        WandbSink(config, tmp_path)


def test_the_real_package_keeps_the_same_names_and_values(
    config: dict[str, Any], tmp_path: Path
) -> None:
    pytest.importorskip("wandb", reason="pip install -r requirements/wandb.txt")
    from wandb.proto import wandb_internal_pb2
    from wandb.sdk.internal.datastore import DataStore

    written = [("return_mean", 0.5, 1), ("test_return_mean", 2.0, 1), ("return_mean", math.inf, 2)]
    sink = WandbSink(config, tmp_path)
    for key, value, t_env in written:
        sink.write(key, value, t_env, 0.0)
    sink.close()

    (path,) = tmp_path.glob("wandb/offline-run-*/run-*.wandb")
    store, found = DataStore(), []
    store.open_for_scan(str(path))
    while data := store.scan_data():
        record = wandb_internal_pb2.Record()
        record.ParseFromString(data)
        row = {
            item.key or ".".join(item.nested_key): json.loads(item.value_json)
            for item in record.history.item
        }
        found += [(key, v, row["t_env"]) for key, v in row.items() if key in dict.fromkeys(
            key for key, _, _ in written)]  # fmt: skip
    assert [(key, float(value), t_env) for key, value, t_env in found] == written
