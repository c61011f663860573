"""Code and settings written for PyMARL run here as they are."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.support import Command, Results

DROPIN = Path(__file__).resolve().parents[1] / "data" / "dropin.py"

Q = {
    "action_selector": "epsilon_greedy",
    "epsilon_start": 1.0,
    "epsilon_finish": 0.05,
    "epsilon_anneal_time": 50000,
    "runner": "episode",
    "buffer_size": 5000,
    "target_update_interval": 200,
    "agent_output_type": "q",
    "learner": "q_learner",
    "double_q": True,
}
PARALLEL = {**Q, "runner": "parallel", "batch_size_run": 8}
QMIX = {"mixer": "qmix", "mixing_embed_dim": 32}
PYMARL_SETTINGS: dict[str, dict[str, Any]] = {
    "iql": {**Q, "mixer": None, "name": "iql"},
    "iql_beta": {**PARALLEL, "mixer": None, "name": "iql_smac_parallel"},
    "vdn": {**Q, "mixer": "vdn", "name": "vdn"},
    "vdn_beta": {**PARALLEL, "mixer": "vdn", "name": "vdn_smac_parallel"},
    "qmix": {**Q, **QMIX, "hypernet_layers": 2, "hypernet_embed": 64, "name": "qmix"},
    "qmix_beta": {**PARALLEL, **QMIX, "name": "qmix_smac_parallel"},
    "qtran": {
        **Q,
        "learner": "qtran_learner",
        "mixer": "qtran_base",
        "mixing_embed_dim": 64,
        "qtran_arch": "qtran_paper",
        "opt_loss": 1,
        "nopt_min_loss": 0.1,
        "network_size": "small",
        "name": "qtran",
    },
}


@pytest.mark.parametrize("name", PYMARL_SETTINGS)
def test_pymarl_value_settings_run(
    run_main: Command, results: Results, tmp_path: Path, name: str
) -> None:
    path = tmp_path / f"{name}.yaml"
    path.write_text(yaml.safe_dump(PYMARL_SETTINGS[name]))

    done = run_main(f"--config={path}", "--env-config=two_step", "with", "t_max=200", "seed=1")

    assert results.status() == "COMPLETED"
    recorded = results.json("config.json")
    assert recorded["learner"] == PYMARL_SETTINGS[name]["learner"]
    assert recorded["updates_per_episode"] is None
    assert results.last("updates") > 0
    assert "pymarl" in done.stdout


def dropin_yaml(tmp_path: Path, mixer: str) -> Path:
    path = tmp_path / "plain.yaml"
    settings = {**Q, "learner": "plain_q_learner", "mixer": mixer, "name": "plain"}
    settings |= {
        "plugins": [str(DROPIN)],
        "epsilon_anneal_time": 1000,
        "target_update_interval": 20,
    }
    path.write_text(yaml.safe_dump(settings))
    return path


def env_yaml(tmp_path: Path) -> Path:
    path = tmp_path / "guess.yaml"
    settings = {"env": "guess", "env_args": {"numbers": 3, "episode_limit": 4, "seed": None}}
    path.write_text(yaml.safe_dump(settings))
    return path


@pytest.mark.parametrize(("mixer", "runner"), [("weighted_sum", "parallel"), ("vdn", "episode")])
def test_foreign_learner_mixer_and_environment_learn(
    run_main: Command, results: Results, tmp_path: Path, mixer: str, runner: str
) -> None:
    config, env = dropin_yaml(tmp_path, mixer), env_yaml(tmp_path)

    run_main(
        f"--config={config}",
        f"--env-config={env}",
        "with",
        f"runner={runner}",
        "t_max=3000",
        "seed=1",
        "lr=0.005",
    )

    assert results.status() == "COMPLETED"
    assert results.last("test_return_mean") > 3.0  # of 4; chance is 0.44
    assert results.last("test_right_mean") >= 0.75


def test_a_foreign_learner_resumes_exactly(
    run_main: Command, results: Results, tmp_path: Path
) -> None:
    config, env = dropin_yaml(tmp_path, "weighted_sum"), env_yaml(tmp_path)
    words = [f"--config={config}", f"--env-config={env}", "with", "seed=1", "t_max=600"]
    words += ["batch_size=4", "learner_log_interval=20", "testing_on=False"]
    alone = Results(tmp_path / "alone")
    run_main(*words, f"local_results_path={alone.root}")

    run_main(*words, "t_max=300")
    run_main(*words, "resume=1")

    assert results.metrics() == alone.metrics()
