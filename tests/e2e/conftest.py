"""Fixtures for tests that run the program as a user would."""

from __future__ import annotations

import functools
from pathlib import Path

import pytest

from tests.support import Command, Results, play


@pytest.fixture
def results(tmp_path: Path) -> Results:
    return Results(tmp_path / "results")


@pytest.fixture
def run_main(results: Results) -> Command:
    """run_main("--config=qmix", "--env-config=grid", "with", "t_max=100") -> finished process."""

    return functools.partial(play, results)
