"""Whom a team's network attends to, as numbers and as a picture."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from numpy.testing import assert_allclose

from main import main
from modules.agents.team import ACTION, maps_of_decoder
from modules.attention import DecoderBlock
from tests.make import N, make_batch
from tests.policies.test_team import NETWORKS, team_args, team_of
from tests.support import Results
from viewing.attention import Weighed, picture, weights_of

TINY = ["seed=1", "rnn_hidden_dim=8", "n_heads=2", "test_nepisode=1", "t_max=12", "epochs=1"]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--config=mat"], "mat on two_step, run 1: attention in a test episode of 2 steps"),
        (
            ["--config=magpo", "guide_agent=sable", "guide_hidden_dim=8"],
            "magpo on two_step, run 1, its guide: retention in a test episode of 2 steps",
        ),
    ],
)
def test_a_run_s_attention_is_drawn(
    words: list[str], said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("matplotlib")
    results, place = Results(tmp_path), f"local_results_path={tmp_path}"
    config, *more = words
    settings = [*TINY, "batch_size_run=3", *more, place]
    assert main([config, "--env-config=two_step", "with", *settings]) == 0
    capsys.readouterr()
    assert main(["attention", place]) == 0

    assert f"{said}\n" in capsys.readouterr().out
    assert (results.folder() / "attention.png").exists()


def test_the_picture_has_the_numbers_of_every_map() -> None:
    pytest.importorskip("matplotlib")
    block = DecoderBlock(4, 1)
    steps = torch.rand(5, N, N)  # (T, queries, keys)
    found = [Weighed(place, steps + i) for i, place in enumerate(maps_of_decoder([block]))]
    figure = picture(found, "of a test")
    matrix, other, strip, *_ = figure.axes
    number = iter(matrix.texts)

    assert figure.get_suptitle() == "of a test"
    assert [axes.get_title() for axes in (matrix, other)] == ["decoder 1", "decoder 1 to actions"]
    assert (matrix.get_ylabel(), matrix.get_xlabel()) == (
        "query: action of agent",
        "key: action of agent",
    )
    assert [label.get_text() for label in matrix.get_xticklabels()] == ["-", "0", "1"]
    assert [label.get_text() for label in other.get_yticklabels()] == ["0", "1", "2"]
    for axes, shown in (
        (matrix, steps.mean(0)),
        (other, steps.mean(0) + 1),
        (strip, steps.mean(1).t()),
    ):
        assert_allclose(axes.images[0].get_array(), shown, rtol=1e-5)
    for mean in steps.mean(0).flatten():
        assert next(number).get_text() == f"{mean:.2f}"


@pytest.mark.parametrize("agent", NETWORKS)
def test_weights_are_those_of_real_steps(agent: str) -> None:
    """Rows of attention sum to 1; nobody attends to later actions."""
    args = team_args(agent)
    policy = team_of(args)
    found = weights_of(policy, make_batch(args, lengths=(4,)))

    assert len(found) == 3 * args.n_blocks  # one of the encoder's, two of the decoder's
    for place, weights in found:
        assert weights.shape == (4, N, N)
        if not place.module.signed:
            torch.testing.assert_close(weights.sum(dim=2), torch.ones(4, N))
        if place.keys == ACTION:
            assert torch.equal(weights, weights.tril())
            assert weights[:, -1].all()
