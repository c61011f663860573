"""Folders as users type them: relative to the repository, `~` for their home."""

from __future__ import annotations

from pathlib import Path

from utils.errors import UserError

REPOSITORY = Path(__file__).resolve().parents[2]
RESULTS = "local_results_path="  # as it is typed for the commands that look at runs


def expanded(text: str | Path) -> Path:
    """The path, its `~` replaced; where nobody has a home, that is a mistake of the user."""
    try:
        return Path(text).expanduser()
    except RuntimeError as error:
        raise UserError(
            f"{text}: there is no home folder here that ~ could mean. Type the whole path, or set "
            "HOME."
        ) from error


def results_folder(place: str = "results") -> Path:
    """One root for everything, relative to the repository wherever the command was typed."""
    return REPOSITORY / expanded(place)


def named_results(words: list[str]) -> tuple[Path, list[str]]:
    """The folder that `local_results_path=...` among the words names, and the other words."""
    places = [word.removeprefix(RESULTS) for word in words if word.startswith(RESULTS)]
    others = [word for word in words if not word.startswith(RESULTS)]
    return results_folder(places[-1] if places else "results"), others
