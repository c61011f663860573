"""In what the settings of some runs differ."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import TypedDict

from dashboard.library import ShownRun
from dashboard.plain import flat
from reporting.grouping import INCIDENTAL, whole
from utils.json_values import Json


class Row(TypedDict):
    """A setting, and what each run has for it."""

    name: str
    incidental: bool
    values: dict[str, Json]  # by the run's key


def differences(runs: Sequence[ShownRun]) -> list[Row]:
    """A row for each setting; a run that lacks it is missing in `values`.

    `incidental` rows say what may differ between two seeds of one experiment. Environments are
    compared among the runs whose environment can be read.
    """
    settings = {run.key: dict(flat(run.record.config)) for run in runs}
    known = {run.key: run.environment for run in runs}
    versions = {
        key: dict(flat(environment, "environment."))
        for key, environment in known.items()
        if environment is not None
    }
    rows = [*_rows(settings), *_rows(versions)]
    return sorted(rows, key=lambda row: (row["incidental"], row["name"]))


def _rows(records: Mapping[str, Mapping[str, Json]]) -> Iterator[Row]:
    for name in dict.fromkeys(name for each in records.values() for name in each):
        values = {key: each[name] for key, each in records.items() if name in each}
        if len(values) < len(records) or len({_shown(value) for value in values.values()}) > 1:
            incidental = name in INCIDENTAL or name == "env_args.seed"
            yield {"name": name, "incidental": incidental, "values": values}


def _shown(value: Json) -> str:
    """As the page has it."""
    return json.dumps(whole(value), sort_keys=True)
