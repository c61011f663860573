"""Which commit runs; and that no state of git, or its absence, is more than a line."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from records.commit import commit_of

pytestmark = pytest.mark.skipif(shutil.which("git") is None, reason="there is no program git")


def git(folder: Path, *words: str) -> None:
    who = ["-c", "user.name=A", "-c", "user.email=a@example.org"]
    subprocess.run(["git", "-C", str(folder), *who, *words], check=True, capture_output=True)


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A tracked file in a repository that has no commit yet."""
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    monkeypatch.setenv("HOME", str(tmp_path))  # nobody's settings
    git(tmp_path, "init", "--quiet")
    (tmp_path / "main.py").write_text("1\n")
    git(tmp_path, "add", "main.py")
    return tmp_path / "main.py"


def test_a_commit_is_known_and_whether_files_have_changed(file: Path) -> None:
    git(file.parent, "commit", "--quiet", "-m", "first")
    clean = commit_of(file)
    file.write_text("2\n")
    changed = commit_of(file)

    assert clean.commit is not None
    assert len(clean.commit) == 40
    assert clean.repository == f"git:/{file.parent}"
    assert (clean.is_dirty, changed.is_dirty) == (False, True)
    assert str(changed) == f"commit {clean.commit[:10]}, with changes"


def test_the_remote_names_the_repository(file: Path) -> None:
    git(file.parent, "commit", "--quiet", "-m", "first")
    git(file.parent, "remote", "add", "origin", "https://example.org/marl.git")

    assert commit_of(file).repository == "https://example.org/marl.git"


def test_a_repository_without_a_commit(file: Path) -> None:
    assert str(commit_of(file)) == "no commit known: the repository has no commit yet"


def test_a_checkout_of_another_user(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    git(file.parent, "commit", "--quiet", "-m", "first")
    monkeypatch.setenv("GIT_TEST_ASSUME_DIFFERENT_OWNER", "1")

    assert "belongs to another user" in commit_of(file).unknown


def test_no_program_git(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(file.parent))

    assert commit_of(file).unknown == "there is no program git"


def test_a_program_git_that_does_not_work(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    broken = file.parent / "git"
    broken.write_text("#!/bin/sh\necho 'fatal: no luck\nmore' >&2\nexit 1\n")
    broken.chmod(0o755)
    monkeypatch.setenv("PATH", f"{file.parent}:/bin:/usr/bin")

    assert commit_of(file).unknown == "no luck"


def test_no_repository(file: Path) -> None:
    shutil.rmtree(file.parent / ".git")

    assert "lies in no git repository" in commit_of(file).unknown


def test_an_unpacked_copy_in_a_repository_of_something_else(file: Path) -> None:
    git(file.parent, "commit", "--quiet", "-m", "first")
    copy = file.parent / "unpacked" / "main.py"
    copy.parent.mkdir()
    copy.write_text("1\n")

    assert "main.py is not tracked" in commit_of(copy).unknown


def test_a_hook_of_another_repository_misleads_nobody(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    git(file.parent, "commit", "--quiet", "-m", "first")
    monkeypatch.setenv("GIT_DIR", "/nowhere")

    assert commit_of(file).commit is not None
