"""Folders as users type them."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from utils.errors import UserError
from utils.places import REPOSITORY, expanded, named_results, results_folder


def test_results_are_relative_to_the_repository(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/me")

    assert results_folder() == REPOSITORY / "results"
    assert results_folder("/elsewhere") == Path("/elsewhere")
    assert results_folder("~/mine") == Path("/home/me/mine")


def test_the_last_folder_among_the_words_counts() -> None:
    words = ["local_results_path=a", "3", "local_results_path=b"]

    assert named_results(words) == (REPOSITORY / "b", ["3"])
    assert named_results([]) == (REPOSITORY / "results", [])


def test_a_home_that_nobody_has_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("HOME")
    monkeypatch.setattr(os, "getuid", lambda: 64321)

    with pytest.raises(UserError, match="no home folder"):
        expanded("~/results")
    assert expanded("results") == Path("results")
