"""A killed and resumed run must give the numbers of one that nobody touched."""

from __future__ import annotations

import random
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from main import main
from tests.support import (
    PATIENCE,
    Command,
    Results,
    command_line,
    play,
    start_process,
    with_results,
)

RUN = (
    "--config=qmix",
    "--env-config=grid",
    "with",
    "seed=3",
    "t_max=1200",
    "test_interval=300",
    "test_nepisode=4",
    "batch_size=8",
    "buffer_size=60",
    "epsilon_anneal_time=1000",
    "log_interval=200",
    "learner_log_interval=100",
    "runner_log_interval=100",
    "checkpoint_interval=100",
    "target_update_interval=20",
)


TEAMS = {
    "magpo": ("guide_agent=sable", "guide_hidden_dim=8", "minibatches=2"),
    "sable": ("rollout_length=7", "n_heads=2"),  # so that rounds end amid episodes
}
SMALL_TEAM = (
    "--env-config=coordsum",
    "with",
    "env_args.map_name=2x5-8",
    "env_args.episode_limit=10",
    "seed=3",
    "t_max=200",
    "batch_size_run=4",
    "rnn_hidden_dim=8",
    "epochs=2",
    "test_interval=100",
    "test_nepisode=4",
    "log_interval=50",
    "learner_log_interval=50",
    "runner_log_interval=50",
    "checkpoint_interval=60",
)


def start(results: Results, *more: str, run: tuple[str, ...] = RUN) -> subprocess.Popen[bytes]:
    words = with_results((*run, *more), results)
    return start_process(command_line(*words), stdout=subprocess.DEVNULL)


def until(happened: Callable[[], bool], process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + PATIENCE
    while not happened() and process.poll() is None:
        assert time.monotonic() < deadline
        time.sleep(0.01)


def newest_checkpoint(results: Results) -> int:
    """Its step, or -1 if there is none."""
    found = (results.root / "models").glob("*/[0-9]*/state.pt")
    return max((int(path.parent.name) for path in found), default=-1)


def has_checkpoint(results: Results) -> bool:
    return newest_checkpoint(results) >= 0


@pytest.fixture(scope="module")
def untouched(tmp_path_factory: pytest.TempPathFactory) -> Results:
    """The same run, left alone."""
    alone = Results(tmp_path_factory.mktemp("alone"))
    play(alone, *RUN)
    return alone


@pytest.mark.slow
@pytest.mark.parametrize("runner", ["episode", "parallel", "batched"])
def test_killed_runs_resume_bit_for_bit(untouched: Results, results: Results, runner: str) -> None:
    kills = 3 if runner == "episode" else 1
    moments = random.Random(runner)
    newest = -1
    process = start(results, f"runner={runner}")
    for _ in range(kills):
        before = newest
        until(lambda: newest_checkpoint(results) > before, process)  # noqa: B023
        time.sleep(moments.uniform(0.0, 0.15))
        assert process.poll() is None
        process.kill()
        process.wait()
        newest = newest_checkpoint(results)
        assert newest > before
        process = start(results, f"runner={runner}", "resume=latest")
    assert process.wait(timeout=PATIENCE) == 0

    assert results.metrics() == untouched.metrics()
    assert results.status() == "COMPLETED"
    assert [path.name for path in (results.root / "sacred").glob("[0-9]*")] == ["1"]


SLOW_DISK = """
import time
import numpy as np

whole = np.savez


def first_a_half(file, **arrays):
    file.write(b"half")
    file.flush()
    time.sleep(0.3)
    file.seek(0)
    whole(file, **arrays)


np.savez = first_a_half
"""


@pytest.mark.slow
def test_a_run_that_is_killed_while_replay_is_written_resumes_bit_for_bit(
    untouched: Results, results: Results, tmp_path: Path
) -> None:
    (tmp_path / "slow_disk.py").write_text(SLOW_DISK)
    words = (f"plugins=[{tmp_path / 'slow_disk.py'}]", "checkpoint_interval=600")
    newest, process = -1, start(results, *words)
    for _ in range(2):
        until(lambda: newest_checkpoint(results) > newest, process)  # noqa: B023
        until(lambda: any((results.root / "models").glob("*/replay/.*.part")), process)
        process.kill()
        process.wait()
        newest = newest_checkpoint(results)
        process = start(results, *words, "resume=latest")
    assert process.wait(timeout=PATIENCE) == 0

    assert results.metrics() == untouched.metrics()
    assert not list(results.root.rglob("*.part"))


@pytest.mark.slow
def test_resumed_runs_end_with_the_same_networks(untouched: Results, results: Results) -> None:
    process = start(results)
    until(lambda: has_checkpoint(results), process)
    process.kill()
    process.wait()
    assert start(results, "resume=latest").wait(timeout=PATIENCE) == 0

    found, expected = final_networks(results), final_networks(untouched)
    assert {"agent.th", "mixer.th", "opt.th"} <= found.keys()
    assert found == expected


def final_networks(results: Results) -> dict[str, bytes]:
    """What the newest files of networks and optimisers hold."""
    newest = max(int(path.name) for path in results.models.glob("[0-9]*"))
    return {path.name: path.read_bytes() for path in (results.models / str(newest)).glob("*.th")}


@pytest.mark.slow
@pytest.mark.parametrize("config", TEAMS)
def test_killed_teams_and_guides_resume_bit_for_bit(
    config: str, results: Results, tmp_path: Path
) -> None:
    """Both policies of a pair, their optimisers, memory in matrices, amid an episode as well."""
    run = (f"--config={config}", *SMALL_TEAM, *TEAMS[config])
    alone = Results(tmp_path / "alone")
    assert main(with_results(run, alone)) == 0
    process = start(results, run=run)
    until(lambda: has_checkpoint(results), process)
    assert process.poll() is None
    process.kill()
    process.wait()
    assert main(with_results((*run, "resume=latest"), results)) == 0

    assert results.json("run.json")["earlier_sessions"]
    assert results.metrics() == alone.metrics()
    assert final_networks(results) == final_networks(alone)


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_saves_and_leaves_and_the_run_can_go_on(
    untouched: Results, results: Results, number: signal.Signals
) -> None:
    process = start(results, "checkpoint_interval=0", "checkpoint_minutes=60")
    until(lambda: (results.folder() / "metrics.csv").exists(), process)
    time.sleep(0.3)
    process.send_signal(number)

    assert process.wait(timeout=PATIENCE) == 128 + number
    assert results.status() == "INTERRUPTED"
    assert has_checkpoint(results)

    resumed = start(results, "checkpoint_interval=0", "checkpoint_minutes=60", "resume=1")
    assert resumed.wait(timeout=PATIENCE) == 0
    assert results.metrics() == untouched.metrics()
    assert results.json("run.json")["earlier_sessions"][0]["status"] == "INTERRUPTED"


@pytest.mark.slow
def test_sacred_files_of_a_resumed_run_hold_the_whole_curve(
    untouched: Results, results: Results
) -> None:
    process = start(results)
    until(lambda: has_checkpoint(results), process)
    process.kill()
    process.wait()
    assert start(results, "resume=latest").wait(timeout=PATIENCE) == 0

    assert results.json("info.json") == untouched.json("info.json")
    for name, series in untouched.json("metrics.json").items():
        resumed = results.json("metrics.json")[name]
        assert (resumed["steps"], resumed["values"]) == (series["steps"], series["values"])


CHANGING = """
import os
from envs import REGISTRY
from envs.grid import Grid
from envs.multiagentenv import RunFacts


class Changing(Grid):
    @classmethod
    def preflight(cls, env_args, n_envs):
        version = os.environ["VERSION"]
        record = {"build": 7, "packages": {"game": version}}
        return RunFacts(head="", details=f"game {version}", record=record)


REGISTRY["changing"] = Changing
"""


def test_an_environment_that_changes_on_the_way_is_told_and_recorded(
    run_main: Command, results: Results, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "changing.py").write_text(CHANGING)
    settings = tmp_path / "changing.yaml"
    settings.write_text("env: changing\nplugins: [changing.py]\n")
    monkeypatch.setenv("VERSION", "4.10")
    run_main("--config=qmix", f"--env-config={settings}", "with", "t_max=50", "batch_size=2",
             "buffer_size=4", "testing_on=False")  # fmt: skip
    said = {}
    for t_max, version in ((100, "5.0"), (150, "5.0")):
        monkeypatch.setenv("VERSION", version)
        said[t_max] = run_main("with", "resume=1", f"t_max={t_max}").stdout

    change = "packages.game 4.10 -> 5.0"
    assert [change in text for text in said.values()] == [True, False]
    info = results.json("info.json")
    assert info["environment"]["packages"]["game"] == "5.0"
    assert info["earlier_environments"] == [{"build": 7, "packages": {"game": "4.10"}}]
