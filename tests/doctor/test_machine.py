"""What `doctor` says of the machine itself."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

from doctor import machine
from doctor.command import main as doctor
from utils.errors import UserError


def told(capsys: pytest.CaptureFixture[str]) -> dict[str, str]:
    """Name of a check -> its line, and those below it that are indented."""
    found: dict[str, str] = {}
    name = ""
    for line in capsys.readouterr().out.splitlines():
        if line[:1] != " ":
            name = line[5:23].strip()
        found[name] = found.get(name, "") + line + "\n"
    return found


def test_doctor_speaks_of_all_that_a_run_needs(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert doctor(["--env-config=grid", "with", f"local_results_path={tmp_path / 'new'}"]) == 0
    said = told(capsys)

    assert torch.__version__ in said["torch"]
    assert "GPU" in said
    assert "GB free at" in said["disk"]
    assert f"{tmp_path / 'new'}, not made yet" in said["results"]
    assert not (tmp_path / "new").exists()
    assert "pyyaml" in said["packages"]
    assert "commit" in said["commit"]
    assert "env=grid" in said["task"]


def test_a_results_folder_that_cannot_be_is_a_fault_and_the_rest_is_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").touch()
    place = f"local_results_path={tmp_path / 'file'}"

    assert doctor(["--env-config=grid", "with", place]) == UserError.exit_code
    said = told(capsys)
    assert said["results"].startswith("BAD ")
    assert said["task"].startswith("ok ")


def test_without_a_compiler_a_run_is_slower_and_works(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["--env-config=grid", "with", f"local_results_path={tmp_path}"]
    monkeypatch.setenv("CXX", "ccache g++")
    assert doctor(words) == 0
    assert told(capsys)["compiler"].startswith("ok   compiler           ccache g++; the GRU is")
    monkeypatch.delenv("CXX")
    monkeypatch.setattr(machine, "compiler", lambda: None)

    assert doctor(words) == 0
    assert "apt-get install g++" in told(capsys)["compiler"]


def test_a_missing_package_is_named_with_what_to_type(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    known = machine.version_of
    monkeypatch.setattr(machine, "version_of", lambda n: None if n == "sacred" else known(n))

    assert doctor(["--env-config=grid"]) == UserError.exit_code
    said = told(capsys)
    assert "sacred missing. Type: pip install -r requirements.txt" in said["packages"]
    assert "task" not in said  # nothing of it could be imported


def test_extras_are_whole_or_named_with_what_they_lack(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "whole.txt").write_text("# a comment\n-r other.txt\nnumpy>=1.26,<3\ntorch\n")
    (tmp_path / "partly.txt").write_text("numpy\nno-such-package==1.0  # for nothing\n")
    monkeypatch.setattr(machine, "EXTRAS", tmp_path)

    assert machine.extras().text.splitlines() == [
        "installed: whole",
        "not installed: partly (no-such-package)",
        "to add one: pip install -r requirements/NAME.txt",
    ]


def test_little_disk_is_worth_a_look(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for free, warning in ((10**8, True), (10**10, False)):
        usage = SimpleNamespace(free=free)
        monkeypatch.setattr(machine.shutil, "disk_usage", lambda _, usage=usage: usage)
        assert machine.disk(tmp_path / "not" / "there").warning == warning


def test_a_gpu_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    facts = SimpleNamespace(name="H200", total_memory=150 * 10**9)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    monkeypatch.setattr(torch.cuda, "get_device_properties", lambda number: facts)

    assert machine.gpu() == machine.Finding("H200, 150.0 GB\nH200, 150.0 GB")


@pytest.mark.parametrize(("cuda", "build"), [(None, "CPU build"), ("13.0", "build for CUDA 13.0")])
def test_a_gpu_that_torch_cannot_use_is_worth_a_look(
    cuda: str | None, build: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.version, "cuda", cuda)
    monkeypatch.setattr(machine, "DRIVER", tmp_path)
    found = machine.gpu()
    monkeypatch.setattr(machine, "DRIVER", tmp_path / "none")

    assert found.warning
    assert f"torch's {build} cannot use it" in found.text
    assert machine.gpu() == machine.Finding("none; runs use the CPU")


def test_launching_is_for_the_game(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="check-env --env-config=grid"):
        doctor(["--launch", "--env-config=grid", "with", f"local_results_path={tmp_path}"])


def test_an_installed_package_knows_its_extras_by_its_own_record(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    lines = [
        "torch<3,>=2.6",
        "numpy>=1.26",
        'gymnasium>=1.3; extra == "lbf"',
        "ray==2; extra == 'all'",
    ]
    monkeypatch.setattr("importlib.metadata.requires", lambda name: lines)
    monkeypatch.setattr(machine, "INSTALLED", True)

    assert machine.core() == ["torch", "numpy"]
    assert machine.extra_packages() == {"lbf": ["gymnasium"], "all": ["ray"]}
