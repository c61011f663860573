"""A small package that looks like SMAC, and a folder that looks like StarCraft II."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from tests.envs.sc2.places import FAKE_SMAC, Fault, make_installation

MODULES = ("smac", "smacv2", "pysc2", "tests.fake_sc2")


@pytest.fixture
def fake_smac(monkeypatch: pytest.MonkeyPatch) -> None:
    """`import smac` finds ours, whatever is installed."""
    monkeypatch.syspath_prepend(FAKE_SMAC)
    for name in list(sys.modules):
        if name.startswith(MODULES):
            monkeypatch.delitem(sys.modules, name)
    yield
    for name in list(sys.modules):
        if name.startswith(MODULES):
            del sys.modules[name]


@pytest.fixture
def game(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An installation of build 75689 with the map 3m."""
    root = make_installation(tmp_path / "StarCraftII")
    monkeypatch.setenv("SC2PATH", str(root))
    return root


@pytest.fixture
def fault(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Fault:
    """fault("die@observe:3") breaks the third observation of a process, once."""
    return Fault(tmp_path / "fuse", monkeypatch)
