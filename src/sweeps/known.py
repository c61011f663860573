"""The finished runs of a results folder, found by what they have learned."""

from __future__ import annotations

from pathlib import Path

from records.resume import EarlierRun, identity, read_run, run_ids
from records.run_files import RunFiles


class KnownRuns:
    """Those that a sweep made and those that were made by hand: they are the same."""

    def __init__(self, results: Path) -> None:
        self.results = results
        self._written: dict[str, int] = {}  # run id -> when its run.json was, in nanoseconds
        self._finished: dict[str, tuple[str, EarlierRun]] = {}  # run id -> identity, run
        self._begun: set[str] = set()  # identities, also of those that were finished later
        self.refresh()

    def refresh(self) -> None:
        """Read what has changed since the last time."""
        for run_id in run_ids(self.results):
            try:
                written = self._record(run_id).stat().st_mtime_ns
            except OSError:
                continue  # it has just begun
            if self._written.get(run_id) == written:
                continue
            self._written[run_id] = written
            self._finished.pop(run_id, None)
            run = read_run(self.results, run_id)
            if run is None:
                continue
            kind = identity(run.config)
            self._begun.add(kind)
            if run.completed(None):
                self._finished[run_id] = (kind, run)

    def begun(self, wanted: str) -> bool:
        """Whether there is a run of that identity, finished or not."""
        return wanted in self._begun

    def finished(self, wanted: str, t_max: int) -> EarlierRun | None:
        """A completed run of that identity that reached `t_max`."""
        of_its_kind = [run for known, run in self._finished.values() if known == wanted]
        return next((run for run in of_its_kind if run.completed(t_max)), None)

    def result(self, run: EarlierRun) -> dict[str, float]:
        """What Sacred stored as its result."""
        files = RunFiles(self._record(run.run_id).parent)
        return files.object_or_nothing("run.json").get("result") or {}

    def _record(self, run_id: str) -> Path:
        return self.results / "sacred" / run_id / "run.json"
