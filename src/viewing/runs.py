"""Which run a command is about, and its numbers."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from records.resume import EarlierRun, known_run, models_folder, run_ids
from reporting.records import Record, read_record
from utils.errors import UserError
from utils.places import RESULTS, RunPlace, named_results, run_place
from utils.settings import Settings


@dataclass(frozen=True)
class ChosenRun:
    """A run in a results folder."""

    results: Path
    run: EarlierRun

    @property
    def config(self) -> Settings:
        return self.run.config

    @property
    def folder(self) -> Path:
        return self.results / "sacred" / self.run.run_id

    @property
    def models(self) -> Path:
        return models_folder(self.results, self.config)

    @property
    def replays(self) -> Path:
        return self.results / "replays" / self.config["unique_token"]

    def record(self) -> Record:
        return read_record(self.folder)


def choose(words: list[str]) -> tuple[ChosenRun, list[str]]:
    """The run that the first word names (id or folder; without one the newest), and the rest.

    `local_results_path=...` among the words says where to look.
    """
    results, words = named_results(words)
    named = words[0] if words and "=" not in words[0] else None
    if named is None:
        known = run_ids(results)
        if not known:
            raise UserError(f"{results} holds no run yet. Train one, or say where: {RESULTS}FOLDER")
        return _read(RunPlace(results, known[0])), words
    return _read(run_place(named, results)), words[1:]


def _read(place: RunPlace) -> ChosenRun:
    results, run_id = place
    if not place.folder.is_dir():
        known = ", ".join(run_ids(results)[:20]) or "none yet"
        raise UserError(f"There is no run {run_id} in {results / 'sacred'}. Known: {known}.")
    return ChosenRun(results, known_run(results, run_id))
