"""Runs that diverge end FAILED with one sentence, and keep the checkpoint from before."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from main import main
from tests.support import Results

PLUGIN = """
import torch
from learners import REGISTRY

class Silent:
    '''Says that its loss is NaN, and has nothing else by which it could be seen.'''

    def __init__(self, mac, scheme, logger, args):
        self.logger = logger

    def train(self, batch, t_env, episode_num):
        self.logger.log_stat("loss", 1.0 if t_env < 60 else float("nan"), t_env)

    def cuda(self): pass
    def save_models(self, path): pass
    def load_models(self, path): pass

REGISTRY["silent"] = Silent
"""


def diverge(capsys: pytest.CaptureFixture[str], results: Results, *words: str) -> str:
    """Run until it has diverged; what was said."""
    settings = ["seed=1", "batch_size=2", "t_max=400", f"local_results_path={results.root}"]
    code = main(["--env-config=two_step", *words[:1], "with", *settings, *words[1:]])
    message = capsys.readouterr().err
    assert code == 2, message
    assert results.status() == "FAILED"
    assert "learning has diverged" in message
    assert "Traceback" not in message
    return message


def kept(results: Results) -> Path:
    """The newest checkpoint."""
    return max(results.models.glob("[0-9]*"), key=lambda path: int(path.name))


def largest(weights: dict[str, Any]) -> float:
    return max(float(values.abs().max()) for values in weights.values())


def test_a_value_learner_that_diverges(
    capsys: pytest.CaptureFixture[str], results: Results
) -> None:
    """The first checkpoints are from before the first update; what comes then is not sound."""
    often = ["checkpoint_interval=1", "test_interval=50", "test_nepisode=2", "log_interval=10"]
    message = diverge(capsys, results, "--config=qmix", "lr=1e20", *often)

    assert f"checkpoint_path={kept(results)}" in message
    assert largest(torch.load(kept(results) / "agent.th")) < 10
    assert "nan" not in " ".join(value for _, _, value in results.metrics())


def test_divergence_between_logs_is_noticed_at_the_end(
    capsys: pytest.CaptureFixture[str], results: Results
) -> None:
    rarely = ["learner_log_interval=100000", "log_interval=100000", "testing_on=False"]
    message = diverge(capsys, results, "--config=vdn", "lr=1e20", *rarely)

    assert "This run has none yet." in message
    assert list((results.root / "models").rglob("*.th")) == []


def test_a_foreign_learner_whose_loss_is_no_number(
    capsys: pytest.CaptureFixture[str], results: Results, tmp_path: Path
) -> None:
    (tmp_path / "silent.py").write_text(PLUGIN)
    (tmp_path / "silent.yaml").write_text("plugins: [silent.py]\nlearner: silent\nname: silent\n")
    often = ["checkpoint_interval=10", "log_interval=10", "testing_on=False"]
    message = diverge(capsys, results, f"--config={tmp_path / 'silent.yaml'}", *often)

    assert "The last values of 'loss' hold NaN" in message
    assert 0 < int(kept(results).name) < 70
