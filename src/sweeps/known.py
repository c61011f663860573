"""The finished runs of a results folder, found by what they have learned."""

from __future__ import annotations

from typing import Any

from launch import results_folder
from utils.resume import EarlierRun, identity, read_run, run_ids
from utils.tracking import read_json


class KnownRuns:
    """Those that a sweep made and those that were made by hand: they are the same."""

    def __init__(self, config: dict[str, Any]) -> None:
        self.results = results_folder(config)
        self._finished: dict[str, tuple[str, EarlierRun]] = {}  # run id -> identity, run

    def finished(self, wanted: str, t_max: int) -> EarlierRun | None:
        """The newest completed run of that identity that reached `t_max`."""
        for run_id in run_ids(self.results):
            found = self._finished.get(run_id) or self._read(run_id)
            if found and found[0] == wanted and found[1].completed(t_max):
                return found[1]
        return None

    def result(self, run: EarlierRun) -> dict[str, float]:
        """What Sacred stored as its result."""
        entry = read_json(self.results / "sacred" / run.run_id / "run.json")
        return entry.get("result") or {}

    def _read(self, run_id: str) -> tuple[str, EarlierRun] | None:
        run = read_run(self.results, run_id)
        if run is None or not run.completed(None):
            return None
        self._finished[run_id] = (identity(run.config), run)
        return self._finished[run_id]
