"""Agents that hear others, in settings of ours and by a plugin of one class: runs that resume."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support import Command, Results

PLUGIN = Path(__file__).resolve().parents[1] / "data" / "ordered.py"


@pytest.mark.parametrize(
    ("chosen", "said"),
    [
        (["--config=kmappo", f"plugins=['{PLUGIN}']", "mac=ordered"], "others: 1 hears 0"),
        (["--config=karmappo", "agent_order=random", "told_through=projection"], "in an order dr"),
        (["--config=bppo"], "others: 1 hears 0"),
        (["--config=bnmappo"], "a network draws"),
        (["--config=mat"], "others: 1 hears 0"),
        (["--config=sable"], "others: 1 hears 0"),
        (
            ["--config=magpo", "guide_hidden_dim=8"],
            "guided by team_mac with mat: agents hear others: 1 hears 0",
        ),
    ],
    ids=["plugin", "drawn", "in turns", "graphs", "mat", "sable", "guided"],
)
def test_agents_that_hear_learn_from_rollouts_and_resume_bit_for_bit(
    chosen: list[str], said: str, run_main: Command, results: Results, tmp_path: Path
) -> None:
    words = [chosen[0], "--env-config=grid", "with", *chosen[1:]]
    words += ["runner=batched", "batch_size_run=4", "rollout_length=10", "seed=1"]
    words += [
        "lr_anneal=False",
        "rnn_hidden_dim=8",
        "learner_log_interval=1",
        "test_interval=40",
        "test_nepisode=1",
        "t_max=120",
    ]
    alone = Results(tmp_path / "alone")
    run_main(*words, f"local_results_path={alone.root}")

    done = run_main(*words, "t_max=40")
    run_main(*words, "resume=1")

    assert said in done.stdout + done.stderr
    assert results.status() == "COMPLETED"
    assert results.last("updates") == 4
    assert timeless(results) == timeless(alone)


def timeless(results: Results) -> list[tuple[str, ...]]:
    return [row for row in results.metrics() if row[1] != "k/seconds"]
