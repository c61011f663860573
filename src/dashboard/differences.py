"""In what the settings of some runs differ."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from dashboard.library import ShownRun
from dashboard.plain import flat
from reporting.grouping import INCIDENTAL


def differences(runs: Sequence[ShownRun]) -> list[dict[str, Any]]:
    """A row for each setting; a run that lacks it is missing in `values`.

    `incidental` rows say what may differ between two seeds of one experiment.
    """
    settings = {run.key: _settings(run) for run in runs}
    rows = []
    for name in dict.fromkeys(name for each in settings.values() for name in each):
        values = {key: each[name] for key, each in settings.items() if name in each}
        if len(values) < len(settings) or len({repr(value) for value in values.values()}) > 1:
            incidental = name in INCIDENTAL or name == "env_args.seed"
            rows.append({"name": name, "incidental": incidental, "values": values})
    return sorted(rows, key=lambda row: (row["incidental"], row["name"]))


def _settings(run: ShownRun) -> dict[str, Any]:
    versions = flat(run.record.environment, "environment.")
    return dict(flat(run.record.config)) | dict(versions)
