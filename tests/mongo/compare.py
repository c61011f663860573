"""What a run's folder says and what the database says, brought to the same form."""

from __future__ import annotations

from typing import Any

from tests.support import Results

Points = dict[str, tuple[list[int], list[str]]]  # metric -> steps, values (as text: NaN equals NaN)


def points_of_folder(results: Results, run_id: int) -> Points:
    metrics = results.json("metrics.json", run_id)
    return {k: (v["steps"], [repr(x) for x in v["values"]]) for k, v in metrics.items()}


def points_of_database(database: Any, number: int) -> Points:
    found = list(database.metrics.find({"run_id": number}))
    points = {d["name"]: (d["steps"], [repr(x) for x in d["values"]]) for d in found}
    assert len(points) == len(found), "a metric has two documents"
    assert all(len(d["timestamps"]) == len(d["steps"]) for d in found)
    return points


def without_ids(document: dict[str, Any]) -> dict[str, Any]:
    """A run's document, but for the ids that every writer draws anew."""
    info, experiment = document["info"], document["experiment"]
    return {
        **document,
        "info": {**info, "metrics": sorted(entry["name"] for entry in info["metrics"])},
        "experiment": {**experiment, "sources": [name for name, _ in experiment["sources"]]},
        "artifacts": [entry["name"] for entry in document["artifacts"]],
    }
