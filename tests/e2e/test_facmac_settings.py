"""FACMAC's settings files run as they are, and with a K-level learner in their learner's place."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.support import Command, Results

NOT_READ = {"action_range": None, "critic_train_reps": 1, "q_nstep": 0, "weight_decay": True}
NOT_READ |= {"epsilon_decay_mode": None, "exploration_mode": "gaussian", "q_embed_dim": 1}
MIXER = {"mixer": "qmix", "skip_connections": False, "gated": False}
DISCRETE = {
    **NOT_READ,
    "action_selector": "gumbel",
    "epsilon_start": 0.5,
    "epsilon_finish": 0.05,
    "epsilon_anneal_time": 50000,
    "agent": "qmixrnn",
    "agent_output_type": "pi_logits",
    "mac": "basic_mac",
    "lr": 0.0025,
    "critic_lr": 0.0005,
    "td_lambda": 0.8,
    "optimizer": "adam",
    "runner_scope": "episodic",
    "target_update_mode": "hard",
    "target_update_interval": 200,
    "env_args": {"state_last_action": False},
}
CONTINUOUS = {
    **NOT_READ,
    "action_selector": None,
    "agent": "rnn",
    "agent_output_type": None,
    "epsilon_start": None,
    "epsilon_finish": None,
    "epsilon_anneal_time": None,
    "mac": "cqmix_mac",
    "gamma": 0.85,
    "grad_norm_clip": 0.5,
    "lr": 0.01,
    "critic_lr": 0.01,
    "td_lambda": 0.8,
    "optimizer": "adam",
    "optimizer_epsilon": 0.01,
    "runner_scope": "episodic",
    "target_update_mode": "soft",
    "target_update_interval": None,
    "test_greedy": None,
    "env_args": {"state_last_action": False},
}
MUJOCO = {
    "agent": "mlp",
    "rnn_hidden_dim": 40,
    "obs_agent_id": False,
    "obs_last_action": False,
    "runner": "parallel",
    "runner_scope": "transition",
    "start_steps": 50,
    "buffer_warmup": 60,
    "batch_size": 20,
}
FILES: dict[str, dict[str, Any]] = {
    "facmac_smac": {**DISCRETE, **MIXER, "learner": "facmac_learner_discrete"},
    "maddpg_smac": {**DISCRETE, "learner": "maddpg_learner_discrete"},
    "facmac_pp": {**CONTINUOUS, **MIXER, "learner": "facmac_learner"},
    "maddpg_pp": {**CONTINUOUS, "learner": "maddpg_learner"},
    "iddpg_pp": {**CONTINUOUS, "mixer": "None", "learner": "facmac_learner"},
    "comix_pp": {**CONTINUOUS, **MIXER, "learner": "cq_learner", "agent": "cemrnn"},
    "covdn_pp": {**CONTINUOUS, "mixer": "vdn", "learner": "cq_learner", "agent": "cemrnn"},
    "facmac_mamujoco": {**CONTINUOUS, **MIXER, **MUJOCO, "learner": "facmac_learner"},
    "maddpg_mamujoco": {**CONTINUOUS, **MUJOCO, "learner": "maddpg_learner"},
}
K_LEARNERS = {
    "facmac_learner_discrete": "kfacmac_learner_discrete",
    "facmac_learner": "kfacmac_learner",
    "maddpg_learner_discrete": "kmaddpg_learner",
    "maddpg_learner": "kmaddpg_learner",
}


def write(tmp_path: Path, name: str) -> Path:
    path = tmp_path / f"{name}.yaml"
    path.write_text(yaml.safe_dump({**FILES[name], "name": name}))
    return path


def environment_of(name: str) -> str:
    if name.endswith("_pp"):
        return "particle"
    return "grid" if "smac" in name else "meet_up"


@pytest.mark.parametrize("name", FILES)
def test_facmac_settings_run(
    run_main: Command, results: Results, tmp_path: Path, name: str
) -> None:
    done = run_main(
        f"--config={write(tmp_path, name)}",
        f"--env-config={environment_of(name)}",
        "with",
        "t_max=150",
        "batch_size=4",
        "test_nepisode=1",
        "learner_log_interval=10",
        "seed=1",
    )

    assert "facmac settings" in done.stdout
    assert results.status() == "COMPLETED"
    assert results.last("updates") > 0
    config = results.json("config.json")
    if "smac" not in name:  # FACMAC's continuous learners do not read td_lambda
        assert config["td_lambda"] == (0.8 if "co" in name[:2] else 0.0)
    assert config["optimizer_epsilon"] == (1e-7 if "smac" in name else 0.01)
    assert config["k_maddpg_level0"] == ("replay" if "maddpg" in name else "policy")


@pytest.mark.parametrize("name", [n for n in FILES if FILES[n]["learner"] in K_LEARNERS])
def test_the_switch_of_the_learner_makes_it_k_level(
    run_main: Command, results: Results, tmp_path: Path, name: str
) -> None:
    learner = K_LEARNERS[FILES[name]["learner"]]
    run_main(
        f"--config={write(tmp_path, name)}",
        f"--env-config={environment_of(name)}",
        "with",
        f"learner={learner}",
        "K=3",
        "t_max=150",
        "batch_size=4",
        "test_nepisode=1",
        "learner_log_interval=10",
        "seed=1",
    )

    assert results.last("k/level") == 3
    assert results.last("pg_loss") != 0
    assert results.json("config.json")["actor_optimizer"] is None  # which for these is rmsprop


@pytest.mark.parametrize("learner", ["kfacmac_learner", "kmaddpg_learner"])
def test_a_k_level_run_resumes_bit_for_bit(
    run_main: Command, results: Results, tmp_path: Path, learner: str
) -> None:
    words = ["--config=kfacmac", "--env-config=grid", "with", f"learner={learner}", "seed=2"]
    words += ["k_level=3", "k_opt_state=per_level", "batch_size=4", "learner_log_interval=20"]
    words += ["test_nepisode=2"]
    alone = Results(tmp_path / "alone")
    run_main(*words, "t_max=300", f"local_results_path={alone.root}")
    run_main(*words, "t_max=150", "testing_on=True")
    run_main("with", "resume=1", "t_max=300")

    def numbers(of: Results) -> list[tuple[str, ...]]:
        return [row for row in of.metrics() if row[1] != "k/seconds"]

    assert numbers(results) == numbers(alone)
