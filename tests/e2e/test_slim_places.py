"""The program in a slim container: no git, no home, another user's checkout that is read-only."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support import MAIN, Results

RUN = ["--config=qmix", "--env-config=two_step", "with", "t_max=40", "batch_size=4", "seed=1",
       "testing_on=False"]  # fmt: skip
STRANGER = 64321  # a user without a name and a home


def bare_environment(programs: Path) -> dict[str, str]:
    """No home, no language, and only the programs in one folder."""
    return {"PATH": str(programs), "OMP_NUM_THREADS": "1"}


def finished(command: list[str], place: Path, environment: dict[str, str]) -> str:
    """What the run said; it ended well."""
    words = [*command, *RUN, f"local_results_path={place}"]
    done = subprocess.run(
        words, capture_output=True, text=True, timeout=600, env=environment, cwd="/"
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Traceback" not in done.stderr
    assert Results(place).status() == "COMPLETED"
    return done.stdout


def test_no_git_and_no_home(tmp_path: Path) -> None:
    (tmp_path / "programs").mkdir()
    place = tmp_path / "results"
    said = finished([sys.executable, str(MAIN)], place, bare_environment(tmp_path / "programs"))

    assert "no commit known: there is no program git" in said
    assert Results(place).json("info.json")["commit"].startswith("no commit known")
    assert Results(place).json("run.json")["experiment"]["repositories"] == []


@pytest.fixture
def open_place() -> Iterator[Path]:
    """A folder that every user may enter; pytest's own are closed."""
    place = Path(tempfile.mkdtemp(prefix="pymarlk-slim-"))
    place.chmod(0o755)
    yield place
    shutil.rmtree(place)


def as_stranger(*command: str) -> list[str]:
    ids = [f"--reuid={STRANGER}", f"--regid={STRANGER}", "--clear-groups"]
    return ["setpriv", *ids, "--inh-caps=-all", *command]


def needs_a_stranger() -> None:
    """Skip where no process can be given to another user, or that one has no packages."""
    if os.geteuid() != 0 or not shutil.which("setpriv") or not shutil.which("git"):
        pytest.skip("only root, with setpriv and git, can run the program as another user")
    reads = "import importlib.util as u; open(u.find_spec('torch').origin)"
    imports = as_stranger(sys.executable, "-c", reads)
    if subprocess.run(imports, capture_output=True, cwd="/").returncode != 0:
        pytest.skip("another user cannot read this Python's packages")


def test_a_checkout_of_another_user_that_is_read_only(open_place: Path) -> None:
    needs_a_stranger()
    tree, place = open_place / "tree", open_place / "results"
    shutil.copytree(MAIN.parent, tree / "src", ignore=shutil.ignore_patterns("__pycache__"))
    for words in (["init", "-q"], ["add", "-A"], ["commit", "-q", "-m", "first"]):
        who = ["-c", "user.name=A", "-c", "user.email=a@example.org"]
        subprocess.run(["git", "-C", str(tree), *who, *words], check=True)
    place.mkdir()
    os.chown(place, STRANGER, STRANGER)

    environment = bare_environment(Path(str(shutil.which("git"))).parent)
    command = as_stranger(sys.executable, str(tree / "src" / "main.py"))
    said = finished(command, place, environment)

    assert "no commit known: the checkout belongs to another user" in said
    assert not list(tree.rglob("__pycache__"))  # nothing could be written there
