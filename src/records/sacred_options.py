"""Sacred's options against what is in the results folder and in the repository."""

from __future__ import annotations

from pathlib import Path

from records.resume import EarlierRun
from utils.errors import UserError
from utils.json_values import JsonObject

Options = dict[str, str | int | bool]


def sacred_options(given: dict[str, str | bool], earlier: EarlierRun | None, runs: Path) -> Options:
    """Sacred's options, those refused that would harm a run in the folder `runs`."""
    options: Options = dict(given)
    number = options.get("--id")
    if earlier is None:
        if number is not None and (runs / str(number)).exists():
            raise UserError(
                f"-i {number}: there is such a run in {runs}. Leave -i out for a free number, or "
                f"go on with that run: resume={number}"
            )
        return options
    _refuse_beside_resume(options, earlier)
    return {**options, "--id": int(earlier.run_id)}


def _refuse_beside_resume(options: Options, earlier: EarlierRun) -> None:
    number = options.get("--id")
    if number not in (None, earlier.run_id):
        raise UserError(
            f"-i {number} and a resume of run {earlier.run_id}: a run that goes on keeps its "
            "number. Leave -i out."
        )
    for option in ("--queue", "--unobserved"):
        if option in options:
            raise UserError(
                f"{option} and a resume of run {earlier.run_id}: its record would not be what "
                f"its checkpoints are. Leave {option} out."
            )


def require_clean(repositories: list[JsonObject]) -> None:
    """Sacred's -e: only code that a commit holds may run."""
    if not repositories:
        raise UserError("-e (--enforce_clean): no commit of this code is known, so none holds it.")
    if any(repository["dirty"] for repository in repositories):
        raise UserError(
            "-e (--enforce_clean): files differ from the last commit (git status lists them). "
            "Commit them, or leave -e out."
        )
