"""Every algorithm file plays, is evaluated, is shown and goes on, with no more said than needed."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from configuration.schema import CONFIG
from learners import REGISTRY as LEARNERS
from main import main
from tests.support import Results

FILES = sorted((CONFIG / "algs").glob("*.yaml"))
TINY = ["seed=1", "rnn_hidden_dim=8", "test_nepisode=1", "test_interval=1000"]
CONTINUOUS = ["buffer_size=100", "buffer_warmup=3", "start_steps=4", "env_args.episode_limit=3"]


def command(path: Path) -> list[str]:
    """The file on a task of a few steps, with sizes that a test can wait for."""
    said = yaml.safe_load(path.read_text())
    continuous = said.get("action_selector") == "gaussian" or said.get("mac") == "cem_mac"
    words = [f"--config={path.stem}", f"--env-config={'meet_up' if continuous else 'two_step'}"]
    words += ["with", *TINY, *(CONTINUOUS if continuous else [])]
    if said.get("runner") == "parallel":  # processes have tests of their own
        words.append("runner=episode")
    return words


def sizes(path: Path) -> list[str]:
    """On-policy files are told how many environments there are, and nothing else."""
    learner = LEARNERS[yaml.safe_load(path.read_text()).get("learner", "q_learner")]
    on_policy = getattr(learner, "learns_from_parts", False)
    return ["batch_size_run=3"] if on_policy else ["batch_size_run=2", "batch_size=2"]


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_plays_is_evaluated_is_shown_and_goes_on(path: Path, tmp_path: Path) -> None:
    results = Results(tmp_path / "results")
    place = f"local_results_path={results.root}"

    assert main([*command(path), *sizes(path), "t_max=12", place]) == 0
    learned = results.last("updates")
    assert learned > 0

    tests = [f"checkpoint_path={results.models}", "evaluate=True", "batch_size_run=1", place]
    assert main([*command(path), *tests]) == 0
    assert (results.status(2), results.json("run.json", 2)["result"]["updates"]) == ("COMPLETED", 0)

    assert main(["replay", "1", place]) == 0
    (text,) = (results.root / "replays").rglob("*.txt")
    assert text.read_text().splitlines()[0].startswith("slot 0: agent 0 ")

    assert main(["with", "resume=1", "t_max=24", place]) == 0
    assert results.status() == "COMPLETED"
    assert results.last("updates") > learned


def test_rollouts_are_shown_too(tmp_path: Path) -> None:
    place = f"local_results_path={tmp_path}"
    words = [*command(CONFIG / "algs" / "kmappo.yaml"), "batch_size_run=2", "rollout_length=3"]

    assert main([*words, "t_max=12", place]) == 0
    assert main(["replay", place]) == 0
