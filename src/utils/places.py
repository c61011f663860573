"""Folders and runs as users type them; folders count from the base folder, `~` is their home."""

from __future__ import annotations

import os
from pathlib import Path
from typing import NamedTuple

from utils.errors import UserError
from utils.files import reason

REPOSITORY = Path(__file__).resolve().parents[2]  # holds src/: a checkout, or what pip installed
INSTALLED = not (REPOSITORY / "pyproject.toml").is_file()  # from a wheel; no checkout is here
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


def base_folder() -> Path:
    """What folders count from: the checkout; where there is none, the current folder."""
    return Path.cwd() if INSTALLED else REPOSITORY


def results_folder(place: str = "results") -> Path:
    """One root for everything, relative to the base folder."""
    return base_folder() / expanded(place)


def make_folder(folder: Path, option: str = f"{RESULTS}...") -> None:
    """Or say why not, and by which option another place is given."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(
            f"Cannot make {folder}: {reason(error)}. Give another place: {option}"
        ) from error


def named_results(words: list[str]) -> tuple[Path, list[str]]:
    """The folder that `local_results_path=...` among the words names, and the other words."""
    places = [word.removeprefix(RESULTS) for word in words if word.startswith(RESULTS)]
    others = [word for word in words if not word.startswith(RESULTS)]
    return results_folder(places[-1] if places else "results"), others


class RunPlace(NamedTuple):
    """Where a run is, or would be: `results/sacred/<run_id>`."""

    results: Path
    run_id: str

    @property
    def folder(self) -> Path:
        return self.results / "sacred" / self.run_id


def run_place(word: str, results: Path) -> RunPlace:
    """The run that `word` names: a path must be a run's folder, all else is a run in `results`."""
    if os.sep not in word and word not in ("", ".", ".."):
        return RunPlace(results, word)
    typed = expanded(word)
    if not typed.is_dir():
        raise UserError(f"There is no folder {word}. Give a run's number or its folder.")
    for folder in (typed.resolve(), typed.absolute()):  # `sacred` may be a link, or the run
        if folder.parent.name == "sacred":
            return RunPlace(folder.parent.parent, folder.name)
    raise UserError(
        f"{word} is no run's folder, as results/sacred/3 is. Give a run's number or its folder."
    )


def is_number(name: str) -> bool:
    """Whether `name` is made of the digits 0 to 9; isdigit() takes ², which int() refuses."""
    return name.isascii() and name.isdigit()
