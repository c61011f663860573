"""The files that docs/drop-in.md names are all that a foreign tree needs."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support import environment

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize("mixer", ["qmix", "vdn"])
def test_the_documented_copy_trains_in_a_foreign_tree(tmp_path: Path, mixer: str) -> None:
    theirs = tmp_path / "src"
    shutil.copytree(ROOT / "tests" / "data" / "other_tree", theirs)
    (theirs / "config" / "algs").mkdir(parents=True)
    commands = re.search(r"```\n(.*?)```", (ROOT / "docs" / "drop-in.md").read_text(), re.DOTALL)
    assert commands is not None
    subprocess.run(
        ["bash", "-e", "-c", commands[1]],
        cwd=ROOT / "src",
        env={**environment(), "THEIRS": str(tmp_path)},
        check=True,
    )

    done = subprocess.run(
        [sys.executable, "run_it.py", mixer],
        cwd=theirs,
        env=environment(),
        capture_output=True,
        text=True,
    )

    assert done.returncode == 0, done.stderr
    logged = json.loads(done.stdout)
    assert logged["k/level"] == 2
    assert logged["moved"] > 0
    assert logged["critic_loss"] > 0
    for path in ("learners/facmac_learner.py", "modules/mixers/vdn.py"):
        original = ROOT / "tests" / "data" / "other_tree" / path
        assert (theirs / path).read_text() == original.read_text()
