"""An ordered policy as a plugin of one class, from the command line to the results folder."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support import Command, Results

SHOWN = {"--config=bppo": ("turns/agent_1", 1), "--config=bnmappo": ("graph/budget", 1)}
PLUGIN = Path(__file__).resolve().parents[1] / "data" / "ordered.py"


@pytest.mark.parametrize(
    "chosen",
    [
        ["--config=kmappo", f"plugins=['{PLUGIN}']", "mac=ordered"],
        ["--config=karmappo", "agent_order=random", "told_through=projection"],
        ["--config=bppo"],
        ["--config=bnmappo"],
    ],
    ids=["plugin", "drawn", "in turns", "graphs"],
)
def test_an_ordered_policy_learns_from_rollouts_and_resumes(
    chosen: list[str], run_main: Command, results: Results, tmp_path: Path
) -> None:
    words = [chosen[0], "--env-config=grid", "with", *chosen[1:]]
    words += ["runner=batched", "batch_size_run=4", "rollout_length=10", "seed=1"]
    words += [
        "lr_anneal=False",
        "learner_log_interval=1",
        "test_interval=40",
        "test_nepisode=2",
        "t_max=120",
    ]
    alone = Results(tmp_path / "alone")
    run_main(*words, f"local_results_path={alone.root}")

    run_main(*words, "t_max=40")
    run_main(*words, "resume=1")

    assert results.status() == "COMPLETED"
    key, value = SHOWN.get(chosen[0], ("k/level", 2))
    assert results.last(key) == value
    assert timeless(results) == timeless(alone)


def timeless(results: Results) -> list[tuple[str, ...]]:
    return [row for row in results.metrics() if row[1] != "k/seconds"]
