"""Which run a word means, and which folders are numbered."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from launch import named_run
from mongo.sync import find_folders
from records.checkpoint import STATE_FILE, checkpoint_steps, find_checkpoint
from records.resume import run_ids
from records.tracking import RunFolder
from utils.errors import UserError
from utils.places import is_number, run_place
from viewing.runs import choose


def made(results: Path, run_id: str = "1") -> Path:
    """The folder of a run with a checkpoint at step 10."""
    folder = results / "sacred" / run_id
    folder.mkdir(parents=True)
    config = {"name": "vdn", "env": "skirmish", "env_args": {}, "t_max": 100, "seed": 1}
    (folder / "config.json").write_text(json.dumps({**config, "unique_token": "token"}))
    (folder / "run.json").write_text(json.dumps({"status": "FAILED"}))
    checkpoint = results / "models" / "token" / "10"
    checkpoint.mkdir(parents=True)
    (checkpoint / STATE_FILE).touch()
    return folder


def resumed(word: str, results: Path) -> Path:
    run = named_run([f"resume={word}", f"local_results_path={results}"])
    assert run is not None
    return run.folder


def viewed(word: str, results: Path) -> Path:
    return choose([word, f"local_results_path={results}"])[0].folder


def synced(word: str, results: Path) -> Path:
    return find_folders([word, f"local_results_path={results}"])[0][0]


COMMANDS = pytest.mark.parametrize("command", [resumed, viewed, synced])


@COMMANDS
def test_a_path_without_a_folder_is_never_the_local_run_of_that_number(
    tmp_path: Path, command: Callable[[str, Path], Path]
) -> None:
    made(tmp_path)
    (tmp_path / "empty").mkdir()
    (tmp_path / "other" / "1").mkdir(parents=True)

    for word in ("/nope/sacred/1", "nope/1", f"{tmp_path}/empty/sacred/1"):
        with pytest.raises(UserError, match=f"There is no folder {word}. Give a run's number or"):
            command(word, tmp_path)
    with pytest.raises(UserError, match=r"other/1 is no run's folder.*Give a run's number or"):
        command(f"{tmp_path}/other/1", tmp_path)


@COMMANDS
def test_a_number_is_the_local_run_and_a_folder_is_that_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: Callable[[str, Path], Path]
) -> None:
    mine, theirs = made(tmp_path / "mine"), made(tmp_path / "theirs")

    monkeypatch.chdir(theirs.parent)  # where 1 is a folder as well
    assert command("1", tmp_path / "mine") == mine
    for word in (str(theirs), f"{theirs}/", "./1", "../sacred/1"):
        assert command(word, tmp_path / "mine") == theirs
    monkeypatch.chdir(theirs)
    assert command(".", tmp_path / "mine") == theirs


def test_folders_behind_links_are_found(tmp_path: Path) -> None:
    folder = made(tmp_path / "results")
    (tmp_path / "latest").symlink_to(folder)
    assert run_place(f"{tmp_path}/latest", Path("x")).folder == folder

    folder.parent.rename(tmp_path / "scratch")
    folder.parent.symlink_to(tmp_path / "scratch")
    assert run_place(str(folder), Path("x")).folder == folder


def test_folders_that_only_look_numbered_are_left_alone(tmp_path: Path) -> None:
    made(tmp_path)
    models = tmp_path / "models" / "token"
    for odd in ("²", "٣", "1a"):
        (tmp_path / "sacred" / odd).mkdir()
        (models / odd).mkdir()
    (models / "²" / "agent.th").touch()

    assert run_ids(tmp_path) == ["1"]
    assert checkpoint_steps(models) == [10]
    assert RunFolder(tmp_path / "sacred", resumed=False).next_number() == 2
    with pytest.raises(UserError, match="holds no numbered checkpoint folders"):
        find_checkpoint(models / "²", 0)
    assert [is_number(name) for name in ("0", "12", "", "²", "-1")] == [True, True] + 3 * [False]
