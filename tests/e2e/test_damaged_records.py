"""Damaged checkpoints and records of a real run: the run goes on, is shown, and it is said."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from dashboard.folders import FolderRuns
from dashboard.library import Library
from main import main
from tests.support import Results

RUN = ("--config=qmix", "--env-config=two_step", "with", "seed=3", "t_max=60", "batch_size=4",
       "buffer_size=8", "test_interval=20", "test_nepisode=2", "checkpoint_interval=20",
       "log_interval=10", "learner_log_interval=10", "runner_log_interval=10",
       "use_cuda=False", "rnn_hidden_dim=4", "mixing_embed_dim=4", "hypernet_embed=4")  # fmt: skip


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Results:
    results = Results(tmp_path_factory.mktemp("damaged") / "results")
    assert main([*RUN, f"local_results_path={results.root}"]) == 0
    return results


@pytest.fixture(scope="module")
def longer(finished: Results, tmp_path_factory: pytest.TempPathFactory) -> Results:
    """The run, resumed when nothing was damaged."""
    results = copy_of(finished, tmp_path_factory.mktemp("longer"))
    assert main(resumed(results)) == 0
    return results


@pytest.fixture
def results(finished: Results, tmp_path: Path) -> Results:
    return copy_of(finished, tmp_path)


def copy_of(results: Results, place: Path) -> Results:
    return Results(Path(shutil.copytree(results.root, place / "results")))


def resumed(results: Results, *more: str) -> list[str]:
    return ["with", "resume=1", "t_max=70", f"local_results_path={results.root}", *more]


def checkpoints(results: Results) -> list[Path]:
    """Those with a state, the newest last."""
    found = results.models.glob("[0-9]*/state.pt")
    return sorted((p.parent for p in found if p.parent.name.isdigit()), key=lambda p: int(p.name))


def flip(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


def test_the_newest_sound_checkpoint_is_taken_and_the_other_named(
    results: Results, longer: Results, capsys: pytest.CaptureFixture[str]
) -> None:
    before, newest = checkpoints(results)
    flip(newest / "state.pt")

    assert main(resumed(results)) == 0
    said = capsys.readouterr().out
    assert f"checkpoint {newest.name} was skipped" in said
    assert "state.pt is damaged" in said
    assert newest.with_name(f"{newest.name}.damaged").is_dir()
    assert results.metrics() == longer.metrics()
    assert int(before.name) < int(newest.name)


def test_zeros_in_a_replay_are_noticed(
    results: Results, capsys: pytest.CaptureFixture[str]
) -> None:
    """One part that both checkpoints need, so neither can be taken."""
    for part in (results.models / "replay").iterdir():
        data = bytearray(part.read_bytes())
        data[-500:-100] = bytes(400)
        part.write_bytes(data)

    assert main(resumed(results)) == 2
    said = capsys.readouterr().err
    assert "no checkpoint is sound" in said
    assert said.count("A replay file in") == 2
    assert "checkpoint_path=" in said


def test_a_checkpoint_of_another_version_gives_its_networks_only(
    results: Results, capsys: pytest.CaptureFixture[str]
) -> None:
    import torch

    for folder in checkpoints(results):
        (folder / "checksums.json").unlink()
        state = torch.load(folder / "state.pt", weights_only=True)
        torch.save({**state, "format": 1}, folder / "state.pt")

    assert main(resumed(results)) == 2
    said = capsys.readouterr().err
    assert "is not a checkpoint of this version" in said
    assert "checkpoint_path=" in said


def test_a_manifest_that_is_gone_is_noticed(
    results: Results, capsys: pytest.CaptureFixture[str]
) -> None:
    for folder in checkpoints(results):
        (folder / "checksums.json").unlink()

    assert main(resumed(results)) == 2
    assert "checksums.json is missing" in capsys.readouterr().err


def evaluate(results: Results, folder: Path) -> list[str]:
    return [*RUN, "evaluate=True", f"checkpoint_path={folder}",
            f"local_results_path={results.root}"]  # fmt: skip


def test_networks_that_are_damaged_are_passed_over(
    results: Results, capsys: pytest.CaptureFixture[str]
) -> None:
    before, newest = checkpoints(results)
    flip(newest / "agent.th")

    assert main(evaluate(results, results.models)) == 0
    said = capsys.readouterr().out
    assert f"checkpoint {newest.name} was not taken" in said
    assert f"networks from {before}" in said
    assert main(evaluate(results, newest)) == 2  # the one that was asked for
    assert "agent.th is damaged" in capsys.readouterr().err


def test_a_folder_of_pymarl_is_loaded_and_called_unverified(
    results: Results, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "models" / "100"
    folder.mkdir(parents=True)
    for name in ("agent.th", "mixer.th", "opt.th"):
        shutil.copy(checkpoints(results)[-1] / name, folder / name)

    assert main(evaluate(results, folder.parent)) == 0
    said = capsys.readouterr().out
    assert f"networks from {folder}" in said
    assert "could not be verified" in said


def halve(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def make_folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


def make_pipe(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


SPOILED: dict[str, Callable[[Path], object]] = {
    "halved": halve,
    "a bit flipped": flip,
    "empty": lambda path: path.write_bytes(b""),
    "binary": lambda path: path.write_bytes(bytes(range(256)) * 20),
    "missing": Path.unlink,
    "a folder": make_folder,
    "a pipe": make_pipe,
}


@pytest.mark.parametrize("damage", SPOILED)
def test_numbers_come_from_sacreds_records(
    results: Results, damage: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """In the list of runs, in a curve, on the dashboard."""
    original = results.metrics()
    SPOILED[damage](results.folder() / "metrics.csv")

    with Library([FolderRuns([results.root])]).shelf(patience=60) as shelf:
        (run,) = shelf.runs.values()
    metrics = run.record.metrics
    assert sum(len(series.steps) for series in metrics.values()) == len(original)
    assert "taken from metrics.json" in " ".join(shelf.problems)
    assert main(["--list", "runs", str(results.root)]) == 0
    listed = capsys.readouterr().out
    assert "1 runs" in listed
    assert "taken from metrics.json" in listed


@pytest.mark.parametrize("damage", ["halved", "a pipe"])
def test_a_run_without_its_numbers_goes_on_with_all_of_them(
    results: Results, longer: Results, damage: str, capsys: pytest.CaptureFixture[str]
) -> None:
    SPOILED[damage](results.folder() / "metrics.csv")

    assert main(resumed(results)) == 0
    assert "taken from metrics.json" in capsys.readouterr().out
    assert results.metrics() == longer.metrics()
    assert (results.folder() / "metrics.csv.damaged").exists()


@pytest.mark.parametrize("damage", ["halved", "a bit flipped", "missing", "a pipe"])
def test_settings_are_recovered_from_the_copy_in_run_json(
    results: Results, damage: str, capsys: pytest.CaptureFixture[str]
) -> None:
    SPOILED[damage](results.folder() / "config.json")

    assert main(["--list", "runs", str(results.root)]) == 0
    listed = capsys.readouterr().out
    assert "1 runs" in listed
    assert "The settings were taken from run.json" in listed


@pytest.mark.parametrize("key", ["unique_token", "env_args", "seed", "t_max", "name", "env"])
def test_settings_without_a_key_are_told(
    results: Results, key: str, capsys: pytest.CaptureFixture[str]
) -> None:
    path = results.folder() / "config.json"
    config = json.loads(path.read_text())
    del config[key]
    path.write_text(json.dumps(config))
    for name in ("checksums.json", "run.json"):  # as a run from before had no copy
        (results.folder() / name).unlink()

    for command in (resumed(results), ["curve", str(results.folder())],
                    ["replay", str(results.folder())]):  # fmt: skip
        assert main(command) == 2
        assert key in capsys.readouterr().err or key == "env"
    assert main(["--list", "runs", str(results.root)]) == 0
