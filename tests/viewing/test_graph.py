"""Who hears whom, as text and as a picture."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from main import main
from tests.support import Results
from utils.errors import UserError
from viewing import attention, graph

TINY = ["seed=1", "rnn_hidden_dim=8", "test_nepisode=1", "t_max=12", "batch_size_run=3"]


def trained(config: str, results: Results, *more: str) -> str:
    place = f"local_results_path={results.root}"
    assert main([f"--config={config}", "--env-config=two_step", "with", *TINY, *more, place]) == 0
    return place


@pytest.mark.parametrize(
    ("config", "more"),
    [("bnmappo", []), ("armappo", []), ("armappo", ["agent_order=random"]), ("bppo", [])],
)
def test_runs_of_agents_that_hear_are_shown(
    config: str, more: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A learned graph may have no edge; in an order agent 1 hears agent 0."""
    pytest.importorskip("matplotlib")
    results = Results(tmp_path)
    place = trained(config, results, *more)
    capsys.readouterr()
    assert main(["graph", place]) == 0
    shown = capsys.readouterr().out

    assert f"{config} on two_step, run 1: share of slots of 20 test episodes" in shown
    assert (results.folder() / "graph.png").stat().st_size > 5000
    if config != "bnmappo" and not more:
        assert "agent 0 hears nobody\n  agent 1 hears 0 (100%)\n" in shown


def test_of_a_guided_run_the_guide_s_graph_is_shown(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("matplotlib")
    results = Results(tmp_path)
    place = trained("magpo", results)
    capsys.readouterr()
    assert main(["graph", place]) == 0
    shown = capsys.readouterr().out

    assert "magpo on two_step, run 1, its guide: share of slots of 20 test episodes\n" in shown
    assert "in tests they decide apart and hear nobody" in shown
    assert "agent 0 hears nobody\n  agent 1 hears 0 (100%)\n" in shown
    assert (results.folder() / "graph.png").stat().st_size > 5000


def test_those_who_hear_nobody_are_refused(tmp_path: Path) -> None:
    place = trained("mappo", Results(tmp_path))
    with pytest.raises(UserError, match="Train some that do: --config=bnmappo, armappo or bppo"):
        graph.main([place])
    with pytest.raises(UserError, match="Train a team that has: --config=mat"):
        attention.main([place])


def test_shares_in_words() -> None:
    shares = torch.tensor([[0, 0.25, 0], [0.5, 0, 1.0], [0, 0, 0]])

    assert graph.table(shares).splitlines() == [
        "  agent 0 hears 1 (25%)",
        "  agent 1 hears 0 (50%), 2 (100%)",
        "  agent 2 hears nobody",
    ]
