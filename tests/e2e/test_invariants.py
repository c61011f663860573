"""Settings that must not change what is learned, checked through the command line."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support import Command, Results, play

SMALL = (
    "--config=qmix",
    "--env-config=grid",
    "with",
    "seed=5",
    "t_max=400",
    "batch_size=4",
    "test_nepisode=3",
    "test_interval=150",
    "runner_log_interval=50",
    "learner_log_interval=50",
    "log_interval=100",
)


def metrics(
    run_main: Command, folder: Path, *settings: str, fresh: bool = False
) -> list[tuple[str, ...]]:
    results = Results(folder)
    run_main(*SMALL, *settings, f"local_results_path={folder}", fresh=fresh)
    return results.metrics()


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> list[tuple[str, ...]]:
    results = Results(tmp_path_factory.mktemp("plain"))
    play(results, *SMALL)
    return results.metrics()


def test_the_same_seed_gives_the_same_metrics(
    run_main: Command, tmp_path: Path, plain: list[tuple[str, ...]]
) -> None:
    """Also in a process that imports all by itself, and has its own seed of `hash`."""
    assert metrics(run_main, tmp_path / "again", fresh=True) == plain


def test_another_seed_gives_other_metrics(
    run_main: Command, tmp_path: Path, plain: list[tuple[str, ...]]
) -> None:
    assert metrics(run_main, tmp_path / "other", "seed=6") != plain


@pytest.mark.parametrize("runner", ["parallel", "batched"])  # ray: tests/runners
def test_where_the_environment_lives_changes_nothing(
    run_main: Command, tmp_path: Path, plain: list[tuple[str, ...]], runner: str
) -> None:
    assert metrics(run_main, tmp_path / runner, f"runner={runner}") == plain


@pytest.mark.parametrize(
    "testing", ["test_interval=77", "test_nepisode=5", "testing_on=False", "test_batch_size_run=2"]
)
def test_testing_changes_no_training_number(
    run_main: Command, tmp_path: Path, plain: list[tuple[str, ...]], testing: str
) -> None:
    def training(rows: list[tuple[str, ...]]) -> list[tuple[str, ...]]:
        """But for the count of crashes, which also tells those of the latest test."""
        numbers = [row for row in rows if row[1] != "env_restarts"]
        return [row for row in numbers if not row[1].startswith("test_")]

    assert training(metrics(run_main, tmp_path / "tested", testing)) == training(plain)


def test_saving_changes_no_number(
    run_main: Command, tmp_path: Path, plain: list[tuple[str, ...]]
) -> None:
    saving = ("checkpoint_interval=50", "save_model=True", "save_model_interval=100")
    assert metrics(run_main, tmp_path / "saved", *saving) == plain


def test_updates_follow_episodes_unless_pymarl_is_asked_for(
    run_main: Command, results: Results
) -> None:
    run_main(*SMALL, "batch_size_run=4", f"local_results_path={results.root / 'ours'}")
    run_main(
        *SMALL,
        "batch_size_run=4",
        "updates_per_episode=null",
        f"local_results_path={results.root / 'pymarl'}",
    )
    ours, theirs = Results(results.root / "ours"), Results(results.root / "pymarl")

    assert ours.last("updates") >= 3.5 * theirs.last("updates")
