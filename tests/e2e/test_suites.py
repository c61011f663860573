"""The commands of docs/suites.md for Multi-Agent MuJoCo, and FACMAC's files as they are."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.e2e.test_facmac_settings import FILES, K_LEARNERS, write
from tests.support import Command, Results

pytestmark = pytest.mark.skipif(
    "not __import__('importlib.util').util.find_spec('gymnasium_robotics')",
    reason="gymnasium-robotics is not installed: pip install -r requirements/mamujoco.txt",
)
SHORT = ["t_max=100", "env_args.episode_limit=50", "test_nepisode=1", "learner_log_interval=10"]
SMALL = ["batch_size=20", "start_steps=50", "buffer_warmup=60", "rnn_hidden_dim=40"]


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


def test_our_own_settings_resume_exactly(
    run_main: Command, results: Results, tmp_path: Path
) -> None:
    words = ["--config=kfacmac_mamujoco", "--env-config=mamujoco", "with", "seed=1"]
    words += [
        *SHORT[1:],
        *SMALL,
        "env_args.scenario_name=HalfCheetah-v2",
        "env_args.agent_conf=2x3",
    ]
    alone = Results(tmp_path / "alone")
    run_main(*words, "t_max=200", f"local_results_path={alone.root}")
    run_main(*words, "t_max=100")
    run_main("with", "resume=1", "t_max=200")

    def numbers(of: Results) -> list[tuple[str, ...]]:
        return [row for row in of.metrics() if row[1] != "k/seconds"]

    assert numbers(results) == numbers(alone)
