"""Which commit of the program runs, or why that cannot be told."""

from __future__ import annotations

import os
import subprocess
from dataclasses import dataclass
from pathlib import Path

PATIENCE = 20.0  # seconds for one question; a network's file system may be slow
# What a hook of another repository leaves in the environment, and would make git look there.
OF_ANOTHER_REPOSITORY = ("GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE")


@dataclass(frozen=True)
class Commit:
    """The commit that a file is of; without one, `unknown` says why."""

    repository: str | None = None  # address of the remote, else the repository's folder
    commit: str | None = None
    is_dirty: bool | None = None  # whether tracked files differ from the commit
    unknown: str = ""

    def __str__(self) -> str:
        if self.commit is None:
            return f"no commit known: {self.unknown}"
        return f"commit {self.commit[:10]}" + (", with changes" if self.is_dirty else "")


class GitError(Exception):
    """git did not answer; the message is a line for the user."""


def commit_of(file: Path) -> Commit:
    """The commit that `file` is of. Nothing that git can do wrong ends a run."""
    folder = file.parent
    try:
        root = _ask(folder, "rev-parse", "--show-toplevel")
        if not _ask(folder, "ls-files", file.name):
            return Commit(unknown=f"{file.name} is not tracked by the repository {root}")
        commit = _ask(folder, "rev-parse", "--verify", "HEAD^{commit}")
        changes = _ask(folder, "status", "--porcelain", "--untracked-files=no")
    except GitError as error:
        return Commit(unknown=str(error))
    return Commit(_address(folder, root), commit, bool(changes))


def _address(folder: Path, root: str) -> str:
    try:
        return _ask(folder, "remote", "get-url", "origin")
    except GitError:
        return f"git:/{root}"


def _ask(folder: Path, *words: str) -> str:
    environment = {k: v for k, v in os.environ.items() if k not in OF_ANOTHER_REPOSITORY}
    environment["LC_ALL"] = "C"
    command = ["git", "--no-optional-locks", "-C", str(folder), *words]
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, errors="replace", timeout=PATIENCE,
            env=environment, stdin=subprocess.DEVNULL,
        )  # fmt: skip
    except FileNotFoundError:
        raise GitError("there is no program git") from None
    except (OSError, subprocess.TimeoutExpired) as error:
        raise GitError(f"git could not be asked ({error})") from None
    if done.returncode != 0:
        raise GitError(_reason(done.stderr) or f"git {words[0]} gave no answer")
    return done.stdout.strip()


def _reason(said: str) -> str:
    """The first line of what git complained of, in words for the three usual cases."""
    if "dubious ownership" in said:
        return "the checkout belongs to another user (git: safe.directory)"
    if "Needed a single revision" in said:
        return "the repository has no commit yet"
    if "not a git repository" in said:
        return "the program lies in no git repository"
    return said.strip().partition("\n")[0].removeprefix("fatal: ")
