"""The real SMAC packages and the real pysc2, on a stand-in that speaks the game's protocol.

SMAC comes from its repository, not from PyPI: ./install_sc2.sh --python-only installs it. Without
it these tests are skipped; tests/envs/sc2 covers the adapter with a pretended SMAC.
"""

from __future__ import annotations

import importlib.util
import os
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.envs.sc2.places import Fault, make_stand_in
from tests.runners.test_no_orphans import alive, wait_until
from tests.runners.test_rollout import make_runner
from tests.support import PATIENCE, Command, Results, command_line, start_process, with_results

SHORT = {"launch_spacing": 0.0, "sc2_timeout": 3.0}
SMALL = [
    *("t_max=20", "test_interval=20", "test_nepisode=2", "batch_size=2", "buffer_size=8"),
    *("torch_threads=1", "env_args.launch_spacing=0", "checkpoint_interval=10"),
]
MAX_REWARD = 3 * 10 + 200 + 3 * 45  # of 3m


def has(package: str) -> bool:
    found = importlib.util.find_spec(package)
    folders = list(found.submodule_search_locations or []) if found else []
    return any((Path(folder) / "env" / "starcraft2").is_dir() for folder in folders)


needs_smac = pytest.mark.skipif(not has("smac"), reason="oxwhirl's smac is not installed")
needs_smacv2 = pytest.mark.skipif(not has("smacv2"), reason="oxwhirl's smacv2 is not installed")


@pytest.fixture(autouse=True)
def stand_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """An installation for this test; whatever it started must be gone at its end."""
    pids = tmp_path / "pids"
    monkeypatch.setenv("SC2PATH", str(make_stand_in(tmp_path / "StarCraftII")))
    monkeypatch.setenv("GAME_PIDS", str(pids))
    monkeypatch.setenv("GAME_EPISODES", str(tmp_path / "episodes"))
    monkeypatch.setattr("envs.sc2.adapter.BACK_OFF", (0.0,))
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))  # pysc2's folders, one a game
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    yield tmp_path / "StarCraftII"
    games = [int(pid) for pid in pids.read_text().split()[1::2]] if pids.exists() else []
    assert wait_until(lambda: not any(map(alive, games)))


@pytest.fixture
def fault(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Fault:
    return Fault(tmp_path / "fuse", monkeypatch)


def episodes_begun(folder: Path) -> int:
    """In all games of this test."""
    place = folder / "episodes"
    return len(place.read_text().splitlines()) if place.exists() else 0


def check_episodes(results: Results, begun: int, of_a_test: int, lost: int = 0) -> None:
    """The games have played what the run counts, and what it says that it has lost."""
    tests = sum(name == "test_return_mean" for _, name, _ in results.metrics())
    assert tests >= 1
    assert begun == results.last("episode") + tests * of_a_test + lost
    assert results.last("env_restarts") == lost


@needs_smac
@pytest.mark.parametrize("runner", ["runner=episode", "runner=parallel batch_size_run=2"])
def test_the_command_of_the_readme(
    run_main: Command, results: Results, runner: str, tmp_path: Path
) -> None:
    words = ["--config=kfacmac", "--env-config=sc2", "with", "env_args.map_name=corridor"]
    first = run_main(*words, *runner.split(), *SMALL)
    assert "StarCraft II 4.10 (build 75689)" in first.stdout
    assert "pysc2 4.0.0" in first.stdout
    assert results.status() == "COMPLETED"
    record = results.json("info.json")["environment"]
    assert record["game_build"] == 75689
    assert record["packages"]["pysc2"] == "4.0.0"
    assert len(record["map_sha256"]) == 64

    check_episodes(results, episodes_begun(tmp_path), of_a_test=2)

    end = max(int(row[0]) for row in results.metrics())
    run_main("with", "resume=1", f"t_max={end + 20}", f"local_results_path={results.root}")
    assert results.status() == "COMPLETED"
    assert results.last("test_battle_won_mean") in (0.0, 0.5, 1.0)
    assert results.last("env_restarts") == 0
    assert max(int(row[0]) for row in results.metrics()) > end + 20

    shown = run_main(
        *words, *runner.split(), *SMALL, f"checkpoint_path={results.models}", "save_replay=True"
    )
    replays = list((results.root / "replays").rglob("*.SC2Replay"))
    assert len(replays) == (2 if "parallel" in runner else 1), shown.stdout
    assert replays[0].read_bytes() == b"a replay of the stand-in"


@needs_smac
def test_an_evaluation_outlives_a_replay_that_cannot_be_saved(
    run_main: Command, results: Results, tmp_path: Path
) -> None:
    words = ["--config=qmix", "--env-config=sc2", "with", "env_args.map_name=3m", *SMALL]
    run_main(*words)
    (tmp_path / "file").touch()
    done = run_main(*words, f"checkpoint_path={results.models}", "save_replay=True",
                    f"env_args.replay_dir={tmp_path / 'file'}")  # fmt: skip

    assert "env_args.replay_dir=/writable/place" in done.stdout
    assert results.status(2) == "COMPLETED"
    assert "test_battle_won_mean" in results.json("run.json", 2)["result"]
    assert list(tmp_path.glob("sc-*")) == []


@needs_smacv2
def test_a_scenario_of_smacv2(run_main: Command, results: Results, tmp_path: Path) -> None:
    run_main("--config=qmix", "--env-config=sc2v2", "with", "env_args.n_units=3",
             "env_args.n_enemies=4", *SMALL)  # fmt: skip

    assert results.status() == "COMPLETED"
    check_episodes(results, episodes_begun(tmp_path), of_a_test=2)


@needs_smac
@pytest.mark.parametrize("runner", ["episode", "parallel"])
def test_crashes_leave_no_folders(runner: str, fault: Fault, tmp_path: Path) -> None:
    fault("die@action:2")
    made = make_runner(runner, env="sc2", env_args={"map_name": "3m", **SHORT})
    try:
        made.run()
    finally:
        made.close_env()

    assert made.env_restarts == 1
    assert list(tmp_path.glob("sc-*")) == []


def make(**env_args: Any) -> Any:
    return make_runner("episode", env="sc2", env_args={"map_name": "3m", **SHORT, **env_args})


def rewards_are_scaled(runner: Any, batches: list[Any]) -> bool:
    returns = [float(batch["reward"].sum()) for batch in batches]
    core = runner._train.vector._envs[0]._core
    return core.max_reward == MAX_REWARD and all(0 <= value <= 20.001 for value in returns)


# A step asks action, step, observation; the first episode begins with ping, create_game,
# join_game, game_info and observation.
@needs_smac
@pytest.mark.parametrize(
    "what",
    ["die@action:2", "error@step:3", "hang@observation:4", "end@action:2", "die@debug:1",
     "die@observation:40"],
)  # fmt: skip
def test_a_broken_game_costs_one_episode(what: str, fault: Fault) -> None:
    fault(what)
    runner = make()
    try:
        batches = [runner.run() for _ in range(4)]
        assert rewards_are_scaled(runner, batches)
    finally:
        runner.close_env()

    assert runner.env_restarts == 1
    steps = sum(int(batch["filled"].sum()) - 1 for batch in batches)
    assert runner.t_env == steps
    assert all(batch["terminated"].sum() == 1 for batch in batches)


@needs_smac
@pytest.mark.parametrize(
    "what", ["die@ping:1", "error@create_game:1", "die@join_game:1", "die@observation:1"]
)
def test_a_game_that_does_not_start_is_started_again(what: str, fault: Fault) -> None:
    fault(what)
    runner = make()
    try:
        assert rewards_are_scaled(runner, [runner.run()])
    finally:
        runner.close_env()

    assert runner.env_restarts == 0


@needs_smac
@pytest.mark.parametrize(("limit", "restarts"), [(900, False), (520_000, True)])
def test_games_end_themselves(limit: int, restarts: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GAME_LOOPS", "900")  # StarCraft II: 524288
    runner = make(max_game_loops=limit)
    try:
        batches = [runner.run() for _ in range(8)]
        assert rewards_are_scaled(runner, batches)
    finally:
        runner.close_env()

    assert bool(runner.env_restarts) == restarts


@needs_smac
def test_exactly_as_many_test_episodes_as_asked(
    run_main: Command, results: Results, fault: Fault, tmp_path: Path
) -> None:
    fault("die@action:100", "error@step:150", "end@observation:200")
    small = [word for word in SMALL if not word.startswith(("test_nep", "t_max"))]
    done = run_main("--config=qmix", "--env-config=sc2", "with", "env_args.map_name=2m_vs_1z",
             "test_nepisode=32", "t_max=20", *small)  # fmt: skip

    assert results.status() == "COMPLETED"
    assert done.stdout.count("its episode is played again") == 3
    check_episodes(results, episodes_begun(tmp_path), of_a_test=32, lost=3)


@needs_smac
@pytest.mark.parametrize(
    ("runner", "episodes"),
    [("runner=episode", 0), ("runner=parallel batch_size_run=2", 0),
     ("runner=episode", 6), ("runner=parallel batch_size_run=2", 8)],
)  # fmt: skip
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_no_game_outlives_a_run(
    tmp_path: Path, results: Results, runner: str, episodes: int, number: signal.Signals
) -> None:
    """While it is launched, and in the middle of a later battle."""
    words = ("--config=qmix", "--env-config=sc2", "with", "env_args.map_name=3m", *runner.split(),
             "t_max=100000", "testing_on=False")  # fmt: skip
    process = start_process(command_line(*with_results(words, results)), stdout=subprocess.DEVNULL)
    expected = 4 if "parallel" in runner else 2
    pids = tmp_path / "pids"
    assert wait_until(lambda: pids.exists() and len(pids.read_text().split()) == expected)
    assert wait_until(lambda: episodes_begun(tmp_path) >= episodes)
    os.kill(process.pid, number)
    process.wait(timeout=PATIENCE)

    started = [int(pid) for pid in pids.read_text().split()]
    assert wait_until(lambda: not any(map(alive, started)))
