"""Whose plugins run: those of a run from elsewhere only when the command line says so."""

from __future__ import annotations

from collections.abc import Sequence

from configuration.command_line import TRUST
from records.resume import EarlierRun
from utils.errors import UserError
from utils.places import INSTALLED, RESULTS, results_folder


def check_plugins(run: EarlierRun, words: Sequence[str]) -> list[str]:
    """A UserError if continuing `run` would run plugins of strangers; what to say otherwise.

    A run is one's own if it lies, links resolved, in the checkout's results or in the folder that
    local_results_path on this command line names. The current folder, where an installed package
    has its results, may be anybody's.
    """
    plugins = run.config.get("plugins") or []
    if not plugins or is_own(run, words):
        return []
    listed = ", ".join(map(str, plugins))
    if TRUST in words:
        return [f"plugins of a run from elsewhere are run, as {TRUST} says: {listed}."]
    raise UserError(
        f"{run.folder} may be of somebody else. Its settings name plugins, programs that would run "
        f"with your rights: {listed}. Look at them first; then add {TRUST}. If that is where your "
        f"own runs are, type {RESULTS}{run.results} and the run's number."
    )


def is_own(run: EarlierRun, words: Sequence[str]) -> bool:
    """Whether the run is where this checkout, or this command, has its results."""
    typed = [word.removeprefix(RESULTS) for word in words if word.startswith(RESULTS)]
    places = typed if INSTALLED else ["results", *typed]
    folder = run.folder.resolve()
    return any(folder.is_relative_to(results_folder(place).resolve()) for place in places)
