"""Mistakes: each costs one screen that names the fix and exit code 2, and harms nothing earlier."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from envs.toy import ToyEnv
from main import main
from tests.support import Results

RUN = ["--config=qmix", "--env-config=two_step", "with", "seed=1"]
SCREEN = 24  # lines of a terminal


@pytest.fixture(scope="module")
def earlier(tmp_path_factory: pytest.TempPathFactory) -> Results:
    """A finished run whose files no mistake may touch."""
    results = Results(tmp_path_factory.mktemp("mistakes") / "results")
    settings = ["t_max=60", "batch_size=2", "save_model=True", "checkpoint_interval=20"]
    assert main([*RUN, *settings, f"local_results_path={results.root}"]) == 0
    return results


def contents(folder: Path) -> dict[str, bytes]:
    return {str(p): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


@pytest.fixture
def untouched(earlier: Results) -> Iterator[Results]:
    before = contents(earlier.root)
    yield earlier
    after = contents(earlier.root)
    assert {name: after.get(name) for name in before} == before


def refused(capsys: pytest.CaptureFixture[str], *argv: str) -> str:
    """The message of a command that was refused, on one line."""
    capsys.readouterr()
    code = main(list(argv))
    message = capsys.readouterr().err
    assert code == 2, message
    assert "Traceback" not in message
    assert 0 < len(message.strip().splitlines()) <= SCREEN
    return " ".join(message.split())


YAML_MISTAKES = {
    "learner: [q_learner": "line",
    "": "empty",
    "- learner\n- mixer\n": "key: value",
    "lr: 0.1\n\tmixer: vdn\n": "tab",
    "lr: 0.1\nmixer: vdn\nlr: 0.2\n": "lr",
    "\x00\x01\x02": "broken.yaml",
    "lr: fast\n": "lr",
    "batch_size: -3\n": "batch_size",
    "mixer: qmxi\n": "qmix",
    "env_args: 3\n": "env_args",
}


@pytest.mark.parametrize("text", YAML_MISTAKES)
def test_broken_yaml(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, untouched: Results, text: str
) -> None:
    path = tmp_path / "broken.yaml"
    path.write_text(text)

    message = refused(
        capsys,
        f"--config={path}",
        "--env-config=two_step",
        "with",
        f"local_results_path={untouched.root}",
    )

    assert "broken.yaml" in message
    assert YAML_MISTAKES[text] in message


COMMAND_LINES = {
    "--env-config=two_step": "--config",
    "--config=qmix": "--env-config",
    "--config=qmx --env-config=two_step": "qmix",
    "--config=qmix --env-config=two_stp": "two_step",
    "--config=/no/such/file.yaml --env-config=two_step": "/no/such/file.yaml",
    "--config --env-config=two_step": "--config",
    "--config=qmix --config=vdn --env-config=two_step": "--config",
    "--confg=qmix --env-config=two_step": "--config",
    "trian --config=qmix --env-config=two_step": "trian",
    "--config=qmix --env-config=two_step with lr": "lr",
    "--config=qmix --env-config=two_step with batch_sise=4": "batch_size",
    "--config=qmix --env-config=two_step with lr=abc": "lr",
    "--config=qmix --env-config=two_step with t_max=1.5": "t_max",
    "--config=qmix --env-config=two_step with t_max=True": "t_max",
    "--config=qmix --env-config=two_step with batch_size=0": "batch_size",
    "--config=qmix --env-config=two_step with test_nepisode=0": "test_nepisode",
    "--config=qmix --env-config=two_step with gamma=1.5": "gamma",
    "--config=qmix --env-config=two_step with double_q=maybe": "double_q",
    "--config=qmix --env-config=two_step with mixer=qmxi": "qmix",
    "--config=qmix --env-config=two_step with learner=q_lerner": "q_learner",
    "--config=qmix --env-config=two_step with agent=rnnn": "rnn",
    "--config=qmix --env-config=two_step with mac=basic_mak": "basic_mac",
    "--config=qmix --env-config=two_step with runner=paralel": "parallel",
    "--config=qmix --env-config=two_step with action_selector=epsilon": "epsilon_greedy",
    "--config=qmix --env-config=two_step with optimizer=rmsprob": "rmsprop",
    "--config=qmix --env-config=two_step with env=two_stap": "two_step",
    "--config=qmix --env-config=grid with env_args.sise=3": "size",
    "--config=qmix --env-config=grid with env_args.size=big": "size",
    "--config=qmix --env-config=grid with env_args=3": "env_args",
    "--config=qmix --env-config=grid with env_args.size=-1": "size",
    "--config=qmix --env-config=two_step with plugins=[no_such_plugin.py]": "no_such_plugin.py",
    "--config=qmix --env-config=two_step with plugins=[no_such_module]": "no_such_module",
    "--config=qmix --env-config=two_step with checkpoint_path=/no/such/place": "/no/such/place",
    "--config=qmix --env-config=two_step with evaluate=True": "checkpoint_path",
    "--config=qmix --env-config=two_step with save_replay=True": "checkpoint_path",
    "--config=qmix --env-config=two_step with buffer_size=100000000000": "buffer_size",
    "--config=facmac_mamujoco --env-config=particle with buffer_size=900": "Lower buffer_warmup",
    "--config=facmac_mamujoco --env-config=particle with agent=rnn": "Type agent=mlp",
    "--config=qmix --env-config=grid with runner_scope=transition": "agent=mlp obs_last_action=Fal",
    "--config=qmix --env-config=cts_matrix_game": "cts_matrix_game",
    "--config=qtran --env-config=two_step with mixer=vdn": "qtran_base",
    "--config=qmix --env-config=two_step with mixer=qtran_base": "qtran_learner",
    "--config=qmix --env-config=two_step with qtran_arch=other": "qtran_paper",
    "--config=qmix --env-config=two_step with best_metric=test_retrun_mean": "test_return_mean",
    "--config=qmix --env-config=two_step with seed=99999999999": "4294967295",
    "--config=qmix --env-config=two_step with env_args.seed=abc": "env_args.seed",
    "--config=qmix --env-config=two_step with name=../escape": "slashes",
    "--config=qmix --env-config=two_step with action_selector=gumbel": "epsilon_greedy",
    "--config=qmix --env-config=two_step with rnn_hidden_dim=1000000": "rnn_hidden_dim",
    "-F somewhere --config=qmix --env-config=two_step": "local_results_path",
    "--config=qmix --env-config=two_step with t_max=5 print_config": "comes first",
    "--list nonsense": "algs",
}


@pytest.mark.parametrize("line", COMMAND_LINES)
def test_mistyped_command_lines(
    capsys: pytest.CaptureFixture[str], untouched: Results, line: str
) -> None:
    words = line.split()
    where = f"local_results_path={untouched.root}"
    if "--list" not in words:
        words += [where] if "with" in words else ["with", where]

    assert COMMAND_LINES[line] in refused(capsys, *words)


NOTHING_RECORDED = {
    "--config=kmappo --env-config=grid with k_level=0": "k_level=[[0,2],[500000,1]]",
    "--config=mappo --env-config=grid with batch_size_run=4 batch_size=5": "batch_size=8",
    "--config=qmix --env-config=cts_matrix_game": "needs discrete actions",
    "--config=facmac --env-config=meet_up": "Add: action_selector=gaussian",
    "--config=coma --env-config=meet_up": "counts actions",
    "--config=comix --env-config=two_step": "the actions of env=two_step are discrete",
    "--config=mappo --env-config=grid with env=Timed plugins=tests/runners/register_fragile.py": (
        "no batched face"
    ),
    "--config=qmix --env-config=grid with checkpoint_path=/no/such/place": "/no/such/place",
    "--config=qmix --env-config=grid with rollout_length=5": "knows whole episodes only",
    "--config=qmix --env-config=grid with runner_scope=transition": "looks back",
    "--config=happo --env-config=grid with share_parameters=True": "Add: share_parameters=False",
    "--config=a2po --env-config=grid with return_steps=5": "Type return_steps=0",
}


@pytest.mark.parametrize("line", NOTHING_RECORDED)
def test_what_does_not_fit_is_refused_before_anything_is_recorded(
    capsys: pytest.CaptureFixture[str], untouched: Results, line: str
) -> None:
    runs = set((untouched.root / "sacred").iterdir())
    words = [*line.split(), "with", f"local_results_path={untouched.root}"]

    assert NOTHING_RECORDED[line] in refused(capsys, *words)
    assert set((untouched.root / "sacred").iterdir()) == runs


def copy_of(results: Results, tmp_path: Path) -> Results:
    return Results(Path(shutil.copytree(results.root, tmp_path / "copy")))


def newest(results: Results) -> Path:
    steps = [path for path in results.models.iterdir() if path.name.isdigit()]
    return max(steps, key=lambda path: int(path.name))


def resume(results: Results, *more: str) -> list[str]:
    return ["with", "resume=1", "t_max=100", f"local_results_path={results.root}", *more]


def test_an_unknown_run_to_resume(capsys: pytest.CaptureFixture[str], untouched: Results) -> None:
    words = ["with", "resume=77", f"local_results_path={untouched.root}"]
    message = refused(capsys, *words)

    assert "77" in message
    assert "resumed: 1" in message


def test_resuming_with_other_settings(
    capsys: pytest.CaptureFixture[str], untouched: Results
) -> None:
    assert "lr" in refused(capsys, *resume(untouched, "lr=0.1"))


def test_resuming_a_run_under_the_name_of_another_task(
    capsys: pytest.CaptureFixture[str], untouched: Results
) -> None:
    words = ["--config=vdn", "--env-config=grid", *resume(untouched)]

    assert "env, env_args" in refused(capsys, *words)


def files(folder: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def truncate(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


@pytest.mark.parametrize("damage", ["truncated", "junk"])
def test_resuming_from_a_damaged_state(
    capsys: pytest.CaptureFixture[str], earlier: Results, tmp_path: Path, damage: str
) -> None:
    results = copy_of(earlier, tmp_path)
    for state in results.models.glob("[0-9]*/state.pt"):  # else an earlier one is taken
        truncate(state) if damage == "truncated" else state.write_bytes(b"junk" * 100)

    before = files(results.root / "sacred")
    assert "state.pt" in refused(capsys, *resume(results))
    assert files(results.root / "sacred") == before


@pytest.mark.parametrize("damage", ["missing", "truncated"])
def test_resuming_with_damaged_replay(
    capsys: pytest.CaptureFixture[str], earlier: Results, tmp_path: Path, damage: str
) -> None:
    results = copy_of(earlier, tmp_path)
    part = next((results.models / "replay").glob("*.npz"))
    part.unlink() if damage == "missing" else truncate(part)

    assert "replay" in refused(capsys, *resume(results))


def test_resuming_a_run_whose_settings_are_lost(
    capsys: pytest.CaptureFixture[str], earlier: Results, tmp_path: Path
) -> None:
    results = copy_of(earlier, tmp_path)
    for name in ("config.json", "run.json"):  # which has a copy of the settings
        (results.folder() / name).write_text('{"name": "qm')

    assert "run 1" in refused(capsys, *resume(results))


def evaluate(folder: Path, results: Results, *more: str) -> list[str]:
    settings = [f"checkpoint_path={folder}", "evaluate=True", f"local_results_path={results.root}"]
    return [*RUN, *settings, *more]


def test_a_truncated_network_file(
    capsys: pytest.CaptureFixture[str], earlier: Results, tmp_path: Path
) -> None:
    results = copy_of(earlier, tmp_path)
    for agent in results.models.glob("[0-9]*/agent.th"):  # else an earlier one is taken
        truncate(agent)

    assert "agent.th" in refused(capsys, *evaluate(results.models, results))


def test_networks_of_another_shape(capsys: pytest.CaptureFixture[str], untouched: Results) -> None:
    message = refused(capsys, *evaluate(untouched.models, untouched, "rnn_hidden_dim=17"))

    assert "agent.th" in message
    assert "rnn_hidden_dim" in message


def test_a_checkpoint_folder_without_checkpoints(
    capsys: pytest.CaptureFixture[str], untouched: Results, tmp_path: Path
) -> None:
    assert "numbered" in refused(capsys, *evaluate(tmp_path, untouched))


def test_an_environment_that_saves_no_replays(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, untouched: Results
) -> None:
    monkeypatch.delattr(ToyEnv, "save_replay")
    words = evaluate(untouched.models, untouched, "save_replay=True")

    assert "env=two_step saves no replays" in refused(capsys, *words)


def test_results_that_cannot_be_written(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    place = tmp_path / "file"
    place.write_text("in the way")

    message = refused(capsys, *RUN, "t_max=20", f"local_results_path={place}")

    assert "local_results_path" in message
    assert place.read_text() == "in the way"


@pytest.mark.parametrize("writer", [(torch, "save"), (np, "savez")])
def test_a_full_disk(
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    earlier: Results,
    tmp_path: Path,
    writer: tuple[Any, str],
) -> None:
    results = copy_of(earlier, tmp_path)
    before = contents(results.models / newest(results).name)

    def fail(*args: Any, **kwargs: Any) -> None:
        raise OSError(28, os.strerror(28))

    monkeypatch.setattr(*writer, fail)

    assert "disk is full" in refused(capsys, *resume(results))
    assert contents(results.models / newest(results).name) == before
    assert not list(results.models.glob(".*.part"))


PLUGINS = {
    "raise RuntimeError('oops')": "oops",
    "import no_such_package": "no_such_package",
    "def broken(:\n": "plugin.py",
}


@pytest.mark.parametrize("text", PLUGINS)
def test_broken_plugins(
    capsys: pytest.CaptureFixture[str], untouched: Results, tmp_path: Path, text: str
) -> None:
    path = tmp_path / "plugin.py"
    path.write_text(text)
    words = [*RUN, f"plugins=['{path}']", f"local_results_path={untouched.root}"]

    assert PLUGINS[text] in refused(capsys, *words)
