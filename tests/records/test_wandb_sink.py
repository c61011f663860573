"""W&B's own package writes its files; they are read back and compared with the CSV."""

from __future__ import annotations

import json
import math
import struct
import sys
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from configuration import load_config
from records.wandb_sink import WandbSink
from utils.errors import UserError
from utils.logging import Logger, get_logger

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

    def fail() -> None:
        try:
            raise ZeroDivisionError
        finally:
            sink.close()

    with pytest.raises(ZeroDivisionError):
        fail()

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


@pytest.mark.parametrize("fails_at", ["log", "finish"])
def test_a_failure_is_said_once_and_the_run_goes_on(
    fails_at: str,
    config: dict[str, Any],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def fail(*args: Any, **kwargs: Any) -> None:
        raise BrokenPipeError("service is gone")

    fake = FakeWandb()
    setattr(fake, fails_at, fail)
    logger = Logger(get_logger())
    logger.setup_csv(tmp_path / "metrics.csv")
    logger.add_sink(make_sink(fake, config, monkeypatch, tmp_path), "W&B")
    for t_env in range(4):
        logger.log_stat("a", 1.0, t_env)
    logger.close()

    assert capsys.readouterr().out.count("W&B has failed") == 1
    assert len((tmp_path / "metrics.csv").read_text().splitlines()) == 5


def test_a_missing_package_is_named(
    config: dict[str, Any], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setitem(sys.modules, "wandb", None)
    with pytest.raises(UserError, match=r"pip install -r requirements/wandb\.txt"):
        WandbSink(config, tmp_path)


def test_the_real_package_keeps_the_same_names_and_values(
    config: dict[str, Any], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    wandb = pytest.importorskip("wandb", reason="pip install -r requirements/wandb.txt")
    from wandb.proto.wandb_internal_pb2 import Record

    written = [("return_mean", 0.5, 1), ("test_return_mean", 2.0, 1), ("return_mean", math.inf, 2)]
    monkeypatch.setattr(sys, "argv", ["main.py", "mongo=mongodb://u:geheim@host/db"])
    sink = WandbSink(config, tmp_path)
    for key, value, t_env in written:
        sink.write(key, value, t_env, 0.0)
    sink.close()
    wandb.teardown()  # as at the end of a process: its service writes what it still has

    (path,) = tmp_path.glob("wandb/offline-run-*/run-*.wandb")
    found = []
    for data in log_entries(path.read_bytes()):
        items = Record.FromString(data).history.item
        row = {item.nested_key[0] if item.nested_key else item.key: item for item in items}
        ours = [key for key in row if not key.startswith("_") and key != "t_env"]
        value_of = {key: json.loads(item.value_json) for key, item in row.items()}
        found += [(key, float(value_of[key]), value_of["t_env"]) for key in sorted(ours)]
    assert found == written
    assert b"mongodb://u:***@host/db" in path.read_bytes()
    assert b"geheim" not in path.read_bytes()


def log_entries(data: bytes) -> Iterator[bytes]:
    """The entries of a log in LevelDB's format, which W&B's files have after 7 bytes."""
    block, header = 32_768, struct.Struct("<IHB")  # checksum, length, kind
    whole, last = 1, 4
    at, entry = header.size, b""
    while at + header.size <= len(data):
        if block - at % block < header.size:  # no header fits: the rest of the block is empty
            at += block - at % block
            continue
        _, length, kind = header.unpack_from(data, at)
        at += header.size + length
        entry += data[at - length : at]
        if kind in (whole, last):
            yield entry
            entry = b""
