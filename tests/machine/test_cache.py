"""The user's cache folder: where it is, and that a file in it is whole."""

from __future__ import annotations

from pathlib import Path

import pytest

from machine import processor as of_processor
from machine.cache import cache_folder, place_bytes, read_json, write_json
from machine.processor import processor


def test_where_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PYMARLK_CACHE", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    for given in (None, "", "relative"):  # the last is invalid, by the XDG specification
        if given is not None:
            monkeypatch.setenv("XDG_CACHE_HOME", given)
        else:
            monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
        assert cache_folder() == tmp_path / ".cache" / "pymarlk" / processor()
    monkeypatch.setenv("XDG_CACHE_HOME", "/var/cache")
    assert cache_folder() == Path("/var/cache/pymarlk") / processor()
    monkeypatch.setenv("PYMARLK_CACHE", "/own")
    assert cache_folder() == Path("/own") / processor()


def test_nobody_needs_a_home(monkeypatch: pytest.MonkeyPatch) -> None:
    def no_home() -> Path:
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.delenv("PYMARLK_CACHE", raising=False)
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.setattr(Path, "home", no_home)

    assert cache_folder() is None
    write_json(None, "x.json", {"a": 1})
    assert read_json(None, "x.json") == {}


def test_processors_that_can_do_other_things_are_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told = "processor : {n}\nmodel name : X\ncpu MHz : {mhz}\nflags : {flags}\n\n"
    found = []
    for mhz, flags in ((1000, "avx2"), (2000, "avx2"), (1000, "avx2 avx512f")):
        cores = [told.format(n=n, mhz=mhz, flags=flags) for n in range(2)]
        (tmp_path / "cpuinfo").write_text("".join(cores))
        monkeypatch.setattr(of_processor, "CPUINFO", tmp_path / "cpuinfo")
        found.append(processor())
    monkeypatch.setattr(of_processor, "CPUINFO", tmp_path / "none")

    assert found[0] == found[1] != found[2]
    assert processor() not in found


def test_a_draft_that_fails_leaves_nothing(tmp_path: Path) -> None:
    place_bytes(tmp_path / "file", b"as it was")
    (tmp_path / "folder" / "inside").mkdir(parents=True)

    with pytest.raises(OSError, match="directory"):
        place_bytes(tmp_path / "folder", b"a file cannot take its name")

    assert sorted(path.name for path in tmp_path.iterdir()) == ["file", "folder"]
    assert (tmp_path / "file").read_bytes() == b"as it was"
