"""What a program sees that imports `pymarlk`, and whose modules have the names of PyMARL's."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from pymarlk.modules import SRC, module_names

PACKAGE = SRC / "pymarlk"


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A folder on the path from which `pymarlk` alone can be imported, as pip leaves it."""
    (tmp_path / "site").mkdir()
    (tmp_path / "site" / "pymarlk").symlink_to(PACKAGE)
    return tmp_path


def python(place: Path, program: str) -> subprocess.CompletedProcess[str]:
    """Run the program in a file of `place`, in a process of its own."""
    (place / "program.py").write_text(program)
    return subprocess.run(
        [sys.executable, str(place / "program.py")],
        env={**os.environ, "PYTHONPATH": str(place / "site")},
        capture_output=True,
        text=True,
    )


def test_to_import_it_brings_one_name_and_takes_no_time(place: Path) -> None:
    done = python(
        place,
        "import sys\n"
        "before = list(sys.path)\n"
        "import pymarlk\n"
        "assert sys.path == before\n"
        "assert not {'torch', 'numpy', 'yaml', 'utils'} & set(sys.modules)\n"
        "import utils\n",
    )

    assert "No module named 'utils'" in done.stderr
    assert "line 6" in done.stderr


def test_the_first_call_makes_pymarls_names_importable(place: Path) -> None:
    done = python(
        place,
        "import pymarlk\n"
        "pymarlk.add_to_path()\n"
        "pymarlk.add_to_path()\n"
        "import sys, utils.errors\n"
        "print(sys.path.index(utils.__path__[0].rpartition('/')[0]), len(set(sys.path)))\n"
        "assert pymarlk.UserError is utils.errors.UserError\n",
    )

    assert done.stdout.split()[0] == "0", done.stderr
    assert done.stderr == ""


def test_a_module_that_the_program_has_imported_is_a_clash(place: Path) -> None:
    (place / "utils.py").touch()
    done = python(
        place,
        "import utils, pymarlk\n"
        "try:\n"
        "    pymarlk.make_env('grid')\n"
        "except pymarlk.ModuleClashError as error:\n"
        "    print(error)\n",
    )

    assert "needs the module name 'utils'" in done.stdout
    assert str(place / "utils.py") in done.stdout
    assert "Rename it" in done.stdout


def test_a_module_that_it_could_have_imported_is_a_warning(place: Path) -> None:
    (place / "runners.py").touch()
    (place / "envs").mkdir()  # a folder of data is no module
    done = python(place, "import pymarlk\npymarlk.add_to_path()\nimport runners as r\nr.REGISTRY\n")

    assert f"'runners' ({place / 'runners.py'})" in done.stderr
    assert "'envs'" not in done.stderr
    assert "Traceback" not in done.stderr


def test_the_program_itself_may_have_such_a_name(place: Path) -> None:
    (place / "run.py").write_text("import pymarlk\npymarlk.add_to_path()\n")
    done = subprocess.run(
        [sys.executable, str(place / "run.py")],
        env={**os.environ, "PYTHONPATH": str(place / "site")},
        capture_output=True,
        text=True,
    )

    assert done.stderr == ""


def test_all_names_that_runs_import_are_known() -> None:
    assert {"utils", "learners", "main", "cli", "envs", "pymarl"} <= set(module_names())
    assert not {"pymarlk", "config"} & set(module_names())
