"""Where the pretended SMAC lies, and how to pretend that StarCraft II is installed."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from envs.sc2.maps import SMAC_MAPS, SMACV2_FILE

FAKE_SMAC = str(Path(__file__).resolve().parents[2] / "data" / "fake_smac")


def make_installation(root: Path, build: int = 75689, program: str = "exit 1") -> Path:
    """A folder laid out as the game's, whose binary is a shell script."""
    binary = root / "Versions" / f"Base{build}" / "SC2_x64"
    binary.parent.mkdir(parents=True)
    binary.write_text(f"#!/bin/sh\n{program}\n")
    binary.chmod(0o755)
    maps = root / "Maps" / "SMAC_Maps"
    maps.mkdir(parents=True)
    for name in (*SMAC_MAPS, SMACV2_FILE):
        (maps / f"{name}.SC2Map").write_bytes(b"a map")
    return root


@dataclass(frozen=True)
class Fault:
    """Breaks the pretended game; each line of the fuse is one strike."""

    fuse: Path
    monkeypatch: pytest.MonkeyPatch

    def __call__(self, *faults: str, times: int | None = None) -> None:
        self.fuse.write_text("\n".join(["."] * (len(faults) if times is None else times)))
        self.monkeypatch.setenv("GAME_FUSE", str(self.fuse))
        self.monkeypatch.setenv("GAME_FAULT", ",".join(faults))


def make_stand_in(root: Path) -> Path:
    """An installation whose binary speaks the game's protocol."""
    script = Path(__file__).resolve().parents[2] / "fake_sc2" / "main.py"
    return make_installation(root, program=f"exec '{sys.executable}' '{script}' \"$@\"")
