"""Fixtures for tests that run the program as a user would."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.support import Command, Results, command_line, run_process, with_results


@pytest.fixture
def results(tmp_path: Path) -> Results:
    return Results(tmp_path / "results")


@pytest.fixture
def run_main(results: Results) -> Command:
    """run_main("--config=qmix", "--env-config=grid", "with", "t_max=100") -> finished process."""

    def run(*words: str, check: bool = True, timeout: float = 600, fresh: bool = False) -> Any:
        line = command_line(*with_results(words, results))
        return run_process(line, check=check, timeout=timeout, fresh=fresh)

    return run
