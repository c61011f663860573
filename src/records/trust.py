"""Whose plugins run: those of a run from elsewhere only when the command line says so."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from configuration.command_line import TRUST
from records.resume import EarlierRun
from records.tracking import REPOSITORY
from utils.errors import UserError

USUAL_RESULTS = REPOSITORY / "results"
PLACE = "local_results_path="


def check_plugins(run: EarlierRun, words: Sequence[str]) -> list[str]:
    """A UserError if continuing `run` would run plugins of strangers; what to say otherwise.

    A run is one's own if it lies, links resolved, in the repository's results or in the folder
    that local_results_path on this command line names.
    """
    plugins = run.config.get("plugins") or []
    if not plugins or is_own(run, words):
        return []
    listed = ", ".join(map(str, plugins))
    if TRUST in words:
        return [f"plugins of a run from elsewhere are run, as {TRUST} says: {listed}."]
    raise UserError(
        f"{run.folder} is from outside {USUAL_RESULTS}. Its settings name plugins, programs that "
        f"would run with your rights: {listed}. Look at them first; then add {TRUST}. If that is "
        f"where your own runs are, type {PLACE}{run.results} and the run's number."
    )


def is_own(run: EarlierRun, words: Sequence[str]) -> bool:
    """Whether the run is where this repository, or this command, has its results."""
    typed = [word.removeprefix(PLACE) for word in words if word.startswith(PLACE)]
    roots = [USUAL_RESULTS, *(REPOSITORY / Path(place).expanduser() for place in typed)]
    folder = run.folder.resolve()
    return any(folder.is_relative_to(root.resolve()) for root in roots)
