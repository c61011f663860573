"""What the README has in common with the code: commands and versions."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from cli import dispatch
from configuration import COMMANDS

ROOT = Path(__file__).resolve().parents[1]
README = (ROOT / "README.md").read_text()
PAGES = [ROOT / "README.md", ROOT / "Makefile", *sorted((ROOT / "docs").glob("*.md"))]


@pytest.mark.parametrize("page", PAGES, ids=lambda path: path.name)
def test_commands_are_spelt_in_one_way(page: Path) -> None:
    """`python src/main.py`, as messages of the program spell it too."""
    assert not re.findall(r"\S*bin/python3? src/\S+|python3 src/main\S+", page.read_text())


def test_torchs_cpu_build_is_of_the_version_that_is_required() -> None:
    required = re.search(r"^torch==\S+", (ROOT / "requirements.txt").read_text(), re.MULTILINE)
    assert required is not None
    assert f"pip install {required[0]} --index-url https://download.pytorch.org/whl/cpu" in README
    assert "https://download.pytorch.org/whl/cpu\n" in (ROOT / "Makefile").read_text()


def test_every_command_that_the_readme_types_exists() -> None:
    typed = set(re.findall(r"python src/main\.py (?!-|with)([\w-]+)", README))

    assert {"meetup"} <= typed <= set(COMMANDS)


def test_what_the_readme_says_of_mistyped_names(capsys: pytest.CaptureFixture[str]) -> None:
    from cli import guarded

    run = ["--config=qmix", "--env-config=two_step", "with"]
    for words, meant in (
        ([*run, "mixer=qmxi"], "qmix"),
        ([*run, "k_levle=2"], "k_level"),
        (["curv"], "curve"),
    ):
        assert f"`{' '.join(words).removeprefix(' '.join(run[:2])).strip()}`" in README
        assert guarded(dispatch, words) == 2
        assert f"Did you mean '{meant}'?" in capsys.readouterr().err
