"""PyMARL's COMA and EPyMARL's on-policy settings files run as they are, and K-level by a switch."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.support import Command, Results

PYMARL_COMA = {
    "action_selector": "multinomial",
    "epsilon_start": 0.5,
    "epsilon_finish": 0.01,
    "epsilon_anneal_time": 100000,
    "mask_before_softmax": False,
    "runner": "parallel",
    "buffer_size": 8,
    "batch_size_run": 8,
    "batch_size": 8,
    "env_args": {"state_last_action": False},
    "target_update_interval": 200,
    "lr": 0.0005,
    "critic_lr": 0.0005,
    "td_lambda": 0.8,
    "agent_output_type": "pi_logits",
    "learner": "coma_learner",
    "critic_q_fn": "coma",
    "critic_baseline_fn": "coma",
    "critic_train_mode": "seq",
    "critic_train_reps": 1,
    "q_nstep": 0,
}
EPYMARL: dict[str, Any] = {
    "action_selector": "soft_policies",
    "mask_before_softmax": True,
    "runner": "parallel",
    "buffer_size": 10,
    "batch_size_run": 10,
    "batch_size": 10,
    "target_update_interval_or_tau": 0.01,
    "lr": 0.0003,
    "hidden_dim": 32,
    "obs_agent_id": True,
    "obs_last_action": False,
    "obs_individual_obs": False,
    "agent_output_type": "pi_logits",
    "entropy_coef": 0.001,
    "standardise_returns": False,
    "standardise_rewards": True,
    "use_rnn": True,
}
SEPARATE = {
    "mac": "non_shared_mac",
    "agent": "rnn_ns",
    "obs_agent_id": False,
    "use_rnn": False,
    "target_update_interval_or_tau": 200,
}
PPO = {"learner": "ppo_learner", "q_nstep": 5, "epochs": 4, "eps_clip": 0.2}
COMA = {"learner": "coma_learner", "q_nstep": 10, "critic_train_mode": "seq"}
FILES: dict[str, dict[str, Any]] = {
    "mappo": {**EPYMARL, **PPO, "critic_type": "cv_critic"},
    "mappo_ns": {**EPYMARL, **PPO, **SEPARATE, "critic_type": "cv_critic_ns"},
    "ippo": {**EPYMARL, **PPO, "critic_type": "ac_critic"},
    "ippo_ns": {**EPYMARL, **PPO, **SEPARATE, "critic_type": "ac_critic_ns"},
    "coma": {**EPYMARL, **COMA, "critic_type": "coma_critic"},
    "coma_ns": {**EPYMARL, **COMA, **SEPARATE, "critic_type": "coma_critic_ns"},
    "pymarl_coma": PYMARL_COMA,
}


def write(tmp_path: Path, name: str) -> Path:
    path = tmp_path / f"{name}.yaml"
    path.write_text(yaml.safe_dump({**FILES[name], "name": name}))
    return path


def words(tmp_path: Path, name: str) -> list[str]:
    start = [f"--config={write(tmp_path, name)}", "--env-config=grid", "with", "seed=1"]
    # Ten processes would be slow on two cores; the runner is not what is tested here.
    return [*start, "runner=episode", "t_max=250", "learner_log_interval=10", "test_nepisode=2"]


@pytest.mark.parametrize("name", FILES)
def test_foreign_settings_run(
    run_main: Command, results: Results, tmp_path: Path, name: str
) -> None:
    done = run_main(*words(tmp_path, name))

    assert ("pymarl settings" if "pymarl" in name else "epymarl settings") in done.stdout
    assert results.status() == "COMPLETED"
    assert results.last("updates") > 0
    assert results.last("agent_grad_norm") > 0
    config = results.json("config.json")
    if "pymarl" in name:
        assert (config["optimizer"], config["critic_hidden_dim"]) == ("rmsprop", 128)
        return
    assert (config["optimizer"], config["critic_hidden_dim"]) == ("adam", 32)
    assert config["return_steps"] == (10 if "coma" in name else 5)
    assert config["share_parameters"] == ("_ns" not in name)
    if "coma" not in name:
        assert config["critic_targets"]
        assert config["value_norm"]
        assert not config["value_clip"]


@pytest.mark.parametrize("name", ["mappo", "ippo_ns"])
def test_the_switch_of_the_learner_makes_it_k_level(
    run_main: Command, results: Results, tmp_path: Path, name: str
) -> None:
    run_main(*words(tmp_path, name), "learner=kmappo_learner", "K=3")

    assert results.last("k/level") == 3
    assert results.last("k/others_ratio") > 0


@pytest.mark.parametrize("more", [[], ["rollout_length=13"]], ids=["episodes", "rollouts"])
def test_a_run_resumes_bit_for_bit(
    run_main: Command, results: Results, tmp_path: Path, more: list[str]
) -> None:
    """Minibatches and value normalisation are part of it, and episodes that are running."""
    start = ["--config=kmappo", "--env-config=grid", "with", "seed=2", "batch_size_run=8"]
    start += ["batch_size=8", "buffer_size=8", "lr_anneal=False", "learner_log_interval=20"]
    start += ["test_nepisode=2", *more]
    alone = Results(tmp_path / "alone")
    run_main(*start, "t_max=400", f"local_results_path={alone.root}")
    run_main(*start, "t_max=200")
    run_main("with", "resume=1", "t_max=400")

    def numbers(of: Results) -> list[tuple[str, ...]]:
        return [row for row in of.metrics() if row[1] != "k/seconds"]

    assert numbers(results) == numbers(alone)
