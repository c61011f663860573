"""The command line before anything runs: old Pythons, missing packages, help, versions."""

from __future__ import annotations

import ast
import io
import re
import runpy
import subprocess
import sys
import tomllib
from collections.abc import Callable
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from cli import CORE, guarded, main, report, sweep
from configuration import COMMANDS
from pymarlk import __version__

ROOT = Path(__file__).resolve().parents[1]
PREREQUISITES = ROOT / "src" / "utils" / "prerequisites.py"
ENTRIES = [ROOT / "src" / name for name in ("main.py", "sweep.py", "report.py")]
TOO_NEW = (ast.JoinedStr, ast.AnnAssign, ast.NamedExpr, ast.Match, ast.FunctionDef)


@pytest.mark.parametrize("path", [PREREQUISITES, *ENTRIES], ids=lambda path: path.stem)
def test_any_python_can_parse_what_it_sees_before_it_is_told(path: Path) -> None:
    tree = ast.parse(path.read_text())
    imported = [node for node in tree.body if isinstance(node, ast.Import | ast.ImportFrom)]

    assert not [node for node in ast.walk(tree) if isinstance(node, TOO_NEW)]
    assert not [node for node in imported if getattr(node, "module", "") == "__future__"]
    if path in ENTRIES:
        assert [ast.unparse(node) for node in imported][:2] == [
            "import sys",
            "import utils.prerequisites",
        ]


@pytest.mark.parametrize("version", [(2, 7, 18), (3, 6, 15), (3, 10, 13)])
def test_an_old_python_is_told_so(
    version: tuple[int, ...], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "version_info", version)
    with pytest.raises(SystemExit) as left:
        runpy.run_path(str(PREREQUISITES))
    said = capsys.readouterr().err

    assert left.value.code == 2
    assert "needs Python 3.11 or newer" in said
    assert f"This is Python {version[0]}.{version[1]} (" in said


def test_windows_is_refused_with_a_way_out(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    program = str(PREREQUISITES)
    with monkeypatch.context() as changed:
        changed.setattr("os.name", "nt")
        with pytest.raises(SystemExit) as left:
            runpy.run_path(program)

    assert left.value.code == 2
    assert "wsl --install" in capsys.readouterr().err


def test_the_least_python_is_that_of_the_project() -> None:
    least = ".".join(map(str, runpy.run_path(str(PREREQUISITES))["LEAST"]))

    assert f'requires-python = ">={least}"' in (ROOT / "pyproject.toml").read_text()


@pytest.mark.parametrize("path", ENTRIES, ids=lambda path: path.stem)
def test_outside_the_virtual_environment_a_sentence_says_what_to_type(path: Path) -> None:
    """-S hides the packages of this Python."""
    words = ["--config=qmix", "--env-config=two_step", "with", "seed=1"]
    bare = [sys.executable, "-S", "-E", str(path), *words[: 4 if path.stem != "report" else 0]]
    done = subprocess.run(bare, capture_output=True, text=True)

    assert done.returncode == 2
    assert "lacks packages of PyMARL-K" in done.stderr
    assert re.search(r"Type `(source|pip)|\.venv", done.stderr)
    assert "Traceback" not in done.stderr


def test_another_module_that_is_missing_keeps_its_traceback() -> None:
    def broken(argv: list[str]) -> int:
        raise ModuleNotFoundError("No module named 'mine'", name="mine")

    with pytest.raises(ModuleNotFoundError):
        guarded(broken, [])


def test_a_terminal_that_lacks_a_character_gets_another(monkeypatch: pytest.MonkeyPatch) -> None:
    written = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(written, encoding="ascii"))

    def say(argv: list[str]) -> int:
        sys.stdout.write("8.00 ±0.50\n")
        sys.stdout.flush()
        return 0

    assert guarded(say, []) == 0
    assert written.getvalue() == b"8.00 ?0.50\n"


def test_every_package_of_the_core_is_known_by_its_module() -> None:
    lines = (ROOT / "requirements.txt").read_text().splitlines()
    named = {line.split("#")[0].strip() for line in lines} - {""}

    assert len(named) + 1 == len(CORE)  # sacred brings docopt


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_its_own_help(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    if COMMANDS[name].own_help:
        with pytest.raises(SystemExit):
            main([name, "--help"])
    else:
        assert main([name, "--help"]) == 0
    said = capsys.readouterr().out

    assert f"python src/main.py {name}" in said
    assert len(said.splitlines()) < 20
    assert max(map(len, said.splitlines())) <= 100
    assert "rnn_hidden_dim" not in said


def test_the_programs_help_names_every_command(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--config=qmix", "--help"]) == 0
    said = capsys.readouterr().out

    assert all(re.search(rf"^  {name} +\w", said, re.MULTILINE) for name in COMMANDS)
    assert max(map(len, said.splitlines())) <= 100


@pytest.mark.parametrize(
    ("words", "meant"),
    [
        (["curv"], "curve"),
        (["curv", "--help"], "curve"),
        (["replya", "3"], "replay"),
        (["chek-env", "--env-config=grid"], "check-env"),
        (["dashbord"], "dashboard"),
        (["print-config", "--config=qmix", "--env-config=grid"], "print_config"),
        (["--verson"], "--version"),
    ],
)
def test_the_nearest_command_is_named(
    words: list[str], meant: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(words) == 2
    assert f"Did you mean '{meant}'?" in capsys.readouterr().err


def test_a_command_stands_first(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--config=qmix", "--env-config=grid", "curve"]) == 2
    assert "python src/main.py curve [RUN]" in capsys.readouterr().err


@pytest.mark.parametrize("command", [main, sweep, report])
def test_the_version_is_the_projects(
    command: Callable[[list[str]], int], capsys: pytest.CaptureFixture[str]
) -> None:
    assert command(["--version"]) == 0
    said = capsys.readouterr().out

    assert re.fullmatch(r"PyMARL-K \d+\.\d+\.\d+ \(Python 3[\d.]+\w*, torch [\w.+]+\)\n", said)
    assert said.split()[1] == __version__
    assert f"version: {__version__}\n" in (ROOT / "CITATION.cff").read_text()


def test_the_package_needs_what_requirements_name_and_torch_in_a_range() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    lines = (ROOT / "requirements.txt").read_text().splitlines()
    pinned = {line.split("#")[0].strip() for line in lines} - {""}
    (torch,) = (each for each in project["dependencies"] if each.startswith("torch"))
    (tested,) = (each for each in pinned if each.startswith("torch"))

    assert pinned - {tested} == set(project["dependencies"]) - {torch}
    assert Requirement(torch).specifier.contains(tested.removeprefix("torch=="))


def test_every_extra_is_a_file_of_requirements() -> None:
    tools = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]
    extras = tools["dynamic"]["optional-dependencies"]
    files = {path.stem for path in (ROOT / "requirements").glob("*.txt")}

    assert set(extras) == files - {"dev", "gfootball"} | {"all"}
    assert all(extras[name]["file"] == f"requirements/{name}.txt" for name in set(extras) - {"all"})


def test_sweep_and_report_are_commands_too(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["sweep", "--help"]) == sweep(["--help"]) == 0
    said = capsys.readouterr().out

    assert said[: len(said) // 2] == said[len(said) // 2 :]
    assert main(["report", "--metrc", "loss"]) == 2
    assert "Did you mean '--metric'?" in capsys.readouterr().err
    assert main(["swep"]) == 2
    assert "Did you mean 'sweep'?" in capsys.readouterr().err


def test_options_of_report_and_dashboard_get_the_nearest_name(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert guarded(report, ["--metrc", "loss"]) == 2
    assert "Did you mean '--metric'?" in capsys.readouterr().err
    assert main(["dashboard", "--prot=1"]) == 2
    assert "Did you mean '--port'?" in capsys.readouterr().err
