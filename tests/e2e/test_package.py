"""The package as pip leaves it: built, unpacked elsewhere, and used from an empty folder."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

import pymarlk

ROOT = Path(__file__).resolve().parents[2]
SOURCES = ("pyproject.toml", "README.md", "LICENSE", "requirements", "src")


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the wheel puts into site-packages."""
    place = tmp_path_factory.mktemp("package")
    tree = place / "tree"
    tree.mkdir()
    for name in SOURCES:  # building writes into the tree
        copy = shutil.copytree if (ROOT / name).is_dir() else shutil.copy
        copy(ROOT / name, tree / name)
    build = ["pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation", "-w", str(place)]
    subprocess.run([sys.executable, "-m", *build, str(tree)], check=True)
    (wheel,) = place.glob("pymarlk-*.whl")
    with zipfile.ZipFile(wheel) as file:
        file.extractall(place / "site")
    return place / "site"


def python(site: Path, cwd: Path, *words: str) -> str:
    done = subprocess.run(
        [sys.executable, *words],
        env={**os.environ, "PYTHONPATH": str(site), "OMP_NUM_THREADS": "1"},
        cwd=cwd,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def files(folder: Path) -> set[Path]:
    found = (path for path in folder.rglob("*") if path.is_file() and path.suffix != ".pyc")
    return {path.relative_to(folder) for path in found}


def test_the_wheel_has_one_name_and_all_files(site: Path) -> None:
    ours = {file for file in files(ROOT / "src") if file.parts[0] != "pymarlk"}

    assert {path.name for path in site.iterdir() if "-" not in path.name} == {"pymarlk"}
    assert files(site / "pymarlk" / "src") == ours
    assert files(ROOT / "src" / "pymarlk") <= files(site / "pymarlk")


def test_an_installed_package_works_in_an_empty_folder(site: Path, tmp_path: Path) -> None:
    """Results go where it is used, and messages say what can be typed there."""
    version = python(site, tmp_path, "-m", "pymarlk", "--version")
    assert version.startswith(f"PyMARL-K {pymarlk.__version__} ")
    assert "\n  pymarlk curve [RUN]" in python(site, tmp_path, "-m", "pymarlk", "curve", "--help")
    shown = python(site, tmp_path, "-c", PROGRAM)

    assert (tmp_path / "results" / "sacred" / "1" / "metrics.csv").is_file()
    assert "iql on two_step, seed 1, COMPLETED" in shown
    assert "<Policy: iql on two_step, step " in shown
    assert 'pip install "pymarlk[plots]"' in shown


PROGRAM = """
import pymarlk
print(pymarlk.train("iql", "two_step", t_max=20, test_nepisode=1, seed=1))
print(pymarlk.load_run(1).policy())
from utils.program import install
print(install("plots"))
"""
