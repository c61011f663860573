"""What a guide leaves behind: agents that anybody can load who never heard of it."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from launch import launch
from main import main
from tests.support import Results
from utils.errors import UserError

SAME = ["seed=1", "rnn_hidden_dim=8", "batch_size_run=4", "test_nepisode=8", "test_interval=1000"]

TASK = ["env_args.map_name=2x5-8", "env_args.episode_limit=10"]


def test_agents_are_mappo_s_and_do_the_same(tmp_path: Path) -> None:
    """Also without the guide's files: who only tests never asks it. Who learns needs them."""
    trained = Results(tmp_path / "trained")
    place = f"local_results_path={trained.root}"
    words = ["--env-config=coordsum", "with", *TASK, *SAME, "lr=0.01"]
    assert main(["--config=magpo", *words, "t_max=200", place]) == 0
    (folder,) = (path for path in trained.models.iterdir() if path.name.isdecimal())
    alone = tmp_path / "alone" / folder.name
    alone.mkdir(parents=True)
    shutil.copy(folder / "agent.th", alone)

    tested = (("magpo", folder), ("magpo", alone), ("mappo", alone))
    found = [
        evaluated(config, path, tmp_path / f"tested{i}", words)
        for i, (config, path) in enumerate(tested)
    ]
    assert found[0] == found[1] == found[2]
    assert found[0]["test_return_std"] > 0

    begun = [f"checkpoint_path={alone.parent}", f"local_results_path={tmp_path / 'begun'}"]
    with pytest.raises(UserError, match=r"guide\.th is missing"):
        launch(["--config=magpo", *words, *begun])


def evaluated(config: str, folder: Path, root: Path, words: list[str]) -> dict[str, float]:
    """All that tests say of the networks in a folder."""
    results = Results(root)
    tests = [f"checkpoint_path={folder.parent}", "evaluate=True", f"local_results_path={root}"]
    assert main([f"--config={config}", *words, *tests]) == 0
    return {key: results.last(key) for _, key, _ in results.metrics() if key.startswith("test_")}
