"""The commands of docs/suites.md, and FACMAC's files as they are."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest

from tests.e2e.test_facmac_settings import FILES, K_LEARNERS, write
from tests.support import Command, Results

needs_mujoco = pytest.mark.skipif(
    importlib.util.find_spec("gymnasium_robotics") is None,
    reason="gymnasium-robotics is not installed: pip install -r requirements/mamujoco.txt",
)
SHORT = ["t_max=100", "env_args.episode_limit=50", "test_nepisode=1", "learner_log_interval=10"]
SMALL = ["batch_size=20", "start_steps=50", "buffer_warmup=60", "rnn_hidden_dim=40"]


@needs_mujoco
@pytest.mark.parametrize(
    ("name", "switch"), [("facmac_mamujoco", False), ("maddpg_mamujoco", True)]
)
def test_facmac_settings_run_on_their_own_task(
    run_main: Command, results: Results, tmp_path: Path, name: str, switch: bool
) -> None:
    learner = FILES[name]["learner"]
    learner = K_LEARNERS[learner] if switch else learner
    done = run_main(
        f"--config={write(tmp_path, name)}",
        "--env-config=mujoco_multi",
        "with",
        f"learner={learner}",
        "seed=1",
        *SHORT,
    )

    assert "Humanoid-v5 9|8" in done.stdout
    assert "Humanoid-v2 is played as Humanoid-v5" in done.stdout
    assert results.status() == "COMPLETED"
    assert results.last("updates") > 0
    assert results.last("pg_loss") != 0


@needs_mujoco
def test_our_own_settings_run(run_main: Command, results: Results) -> None:
    words = ["--config=kfacmac_mamujoco", "--env-config=mamujoco", "with", "seed=1"]
    words += ["env_args.scenario_name=HalfCheetah-v2", "env_args.agent_conf=2x3"]
    run_main(*words, *SHORT, *SMALL)

    assert results.last("updates") == 3 * 50 - 60  # whole episodes; none before the warm-up
    assert results.last("k/level") == 2


@needs_mujoco
def test_agents_that_learn_in_turns_move_joints_and_go_on(
    run_main: Command, results: Results
) -> None:
    words = ["--config=bppo", "--env-config=mamujoco", "with", "seed=1", "agent=mlp", *SHORT]
    words += ["runner=episode", "batch_size_run=1", "batch_size=1", "buffer_size=1"]
    words += ["lr_anneal=False"]  # it would be 0 in the last round
    run_main(*words)
    learned = results.last("updates")
    run_main(*words, "t_max=200", "resume=1")

    assert 0 < learned < results.last("updates")
    assert results.last("turns/team_ratio") > 0
    assert results.last("test_return_mean") != 0


def test_a_run_that_learned_nothing_says_so(run_main: Command, results: Results) -> None:
    words = ["--config=facmac_mamujoco", "--env-config=particle", "with", "seed=1", *SMALL]
    done = run_main(*words, "t_max=40", "testing_on=False")

    assert results.last("updates") == 0
    message = " ".join((done.stdout + done.stderr).split())
    assert "nothing was learned: that takes 61 transitions" in message
    assert "and there were 50" in message


def test_a_trained_team_is_filmed(run_main: Command, results: Results) -> None:
    """By the command that films Skirmish."""
    image = pytest.importorskip("PIL.Image")
    words = ["--config=kfacmac_mamujoco", "--env-config=particle", "with", "seed=1", *SMALL]
    run_main(*words, "t_max=20", "test_nepisode=1")
    place = f"local_results_path={results.root}"
    done = run_main("replay", "1", place, "env_args.replay_format=webp")

    (film,) = (results.root / "replays").glob("*/*.webp")
    assert str(film) in done.stdout
    assert image.open(film).n_frames > 10


def test_several_environments_feed_one_buffer(run_main: Command, results: Results) -> None:
    """In the transition scope: an update for each of their steps, once there is enough."""
    words = ["--config=facmac_mamujoco", "--env-config=particle", "with", "seed=1", *SMALL]
    run_main(*words, "t_max=100", "runner=batched", "batch_size_run=3", "testing_on=False")

    assert results.last("updates") == pytest.approx(150 - 60, abs=3)
