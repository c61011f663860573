"""A run's curve, and an episode of what it learned."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from records.replays import ReplayNotSavedError
from tests.support import Command, Results, play
from viewing.curve import sparkline

TRAIN = ["--config=vdn", "--env-config=skirmish", "with", "env_args.map_name=3m", "seed=1"]
TRAIN += ["runner=batched", "batch_size_run=4", "t_max=300", "test_interval=100", "test_nepisode=4"]


@pytest.fixture(scope="module")
def once(tmp_path_factory: pytest.TempPathFactory) -> Results:
    made = Results(tmp_path_factory.mktemp("trained"))
    play(made, *TRAIN)
    return made


@pytest.fixture
def trained(once: Results, results: Results) -> Results:
    """A copy of its own for each test."""
    shutil.copytree(once.root, results.root)
    return results


def files(results: Results, ending: str) -> list[Path]:
    return sorted((results.root / "replays").rglob(f"*{ending}"))


def test_the_newest_run_is_shown(run_main: Command, trained: Results) -> None:
    place = f"local_results_path={trained.root}"
    pytest.importorskip("matplotlib")
    pytest.importorskip("PIL")
    curve = run_main("curve", place)
    run_main("replay", place)

    logged = [float(v) for _, name, v in trained.metrics() if name == "test_battle_won_mean"]
    assert f"highest {max(logged):.2f}" in curve.stdout
    assert (trained.folder() / "test_battle_won_mean.png").stat().st_size > 1000
    (film,) = files(trained, ".gif")
    from PIL import Image

    assert Image.open(film).n_frames >= 5
    assert len(list((trained.root / "sacred").glob("[0-9]*"))) == 1  # looking is no run


def test_a_film_and_a_window(
    run_main: Command, trained: Results, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("imageio_ffmpeg")
    pytest.importorskip("pygame")
    monkeypatch.setenv("SDL_VIDEODRIVER", "dummy")
    shown = run_main(
        "replay", "1", f"local_results_path={trained.root}", "render=True",
        "env_args.replay_format=mp4",
    )  # fmt: skip

    assert "replay: " in shown.stdout
    (film,) = files(trained, ".mp4")
    assert film.read_bytes()[4:8] == b"ftyp"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["curve", "7"], "There is no run 7"),
        (["curve", "metric=test_batle_won_mean"], "Did you mean 'test_battle_won_mean'?"),
        (["curve", "nonsense"], "There is no run nonsense"),
        (["replay", "1", "env_args.replay_format=avi"], "it can be gif, webp, mp4"),
        (["replay", "1", "checkpoint_path=/nowhere"], "/nowhere"),
    ],
)
def test_mistakes_are_answered(
    run_main: Command, trained: Results, words: list[str], said: str
) -> None:
    done = run_main(*words, f"local_results_path={trained.root}", check=False)

    assert done.returncode == 2
    assert said in done.stderr


def test_a_game_without_pictures_is_shown_as_text(run_main: Command, results: Results) -> None:
    run_main("--config=vdn", "--env-config=two_step", "with", "t_max=50")
    place = f"local_results_path={results.root}"

    shown = run_main("replay", place).stdout
    assert "slot 1: agent 0 plays " in shown
    (text,) = files(results, ".txt")
    assert text.read_text().splitlines()[-1] in shown
    assert "cannot be shown" in run_main("replay", place, "render=True", check=False).stderr


def test_a_film_that_cannot_be_written_is_an_error(
    run_main: Command, trained: Results, tmp_path: Path
) -> None:
    pytest.importorskip("PIL")
    (tmp_path / "file").touch()
    place = [f"local_results_path={trained.root}", f"env_args.replay_dir={tmp_path / 'file'}"]
    for runner in ("episode", "batched", "parallel"):
        done = run_main("replay", "1", *place, f"runner={runner}", check=False)

        assert done.returncode == ReplayNotSavedError.exit_code == 3
        assert "A replay was not saved: " in done.stderr
        assert "Traceback" not in done.stderr
    assert files(trained, ".gif") == []


def test_sparklines_span_lowest_to_highest() -> None:
    assert sparkline([0.0, 1.0, 0.5]) == "▁█▅"
    assert sparkline([2.0, 2.0]) == "▁▁"
    assert len(sparkline([float(i) for i in range(1000)])) <= 60
