"""Whose settings file it is, and what it says in our words."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from configuration import load_config
from configuration.schema import CONFIG
from utils.errors import UserError

SHIPPED = sorted((CONFIG / "algs").glob("*.yaml"))
FACMAC_CONTINUOUS = {"mac": "cqmix_mac", "target_update_mode": "soft", "td_lambda": 0.8}
FACMAC_DISCRETE = {"agent": "qmixrnn", "action_selector": "gumbel", "optimizer": "adam"}
FACMAC_DISCRETE |= {"agent_output_type": "pi_logits", "td_lambda": 0.8}


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
def test_our_own_files_mean_what_they_say(path: Path) -> None:
    loaded = load_config([f"--config={path.stem}", "--env-config=grid"])
    said = yaml.safe_load(path.read_text())
    said.pop("env_args", None)

    assert {key: loaded.config[key] for key in said} == said
    from_file = {k for k, origin in loaded.origins.items() if origin.endswith(path.name)}
    assert {key for key in from_file if not key.startswith("env_args.")} == set(said)


def load(tmp_path: Path, values: dict[str, Any], *typed: str) -> dict[str, Any]:
    path = tmp_path / "theirs.yaml"
    path.write_text(yaml.safe_dump(values))
    return load_config([f"--config={path}", "--env-config=grid", "with", *typed]).config


@pytest.mark.parametrize("values", [FACMAC_CONTINUOUS, FACMAC_DISCRETE])
@pytest.mark.parametrize("family", ["facmac", "maddpg"])
def test_a_learner_switched_in_the_file_or_by_hand_is_the_same(
    tmp_path: Path, values: dict[str, Any], family: str
) -> None:
    base = {**values, "learner": f"{family}_learner"}
    typed = load(tmp_path, base, f"learner=k{family}_learner")
    written = load(tmp_path, {**values, "learner": f"k{family}_learner"})

    assert typed == written
    assert typed["k_maddpg_level0"] == "policy"
    assert load(tmp_path, base)["k_maddpg_level0"] == ("replay" if family == "maddpg" else "policy")


def test_facmac_s_habits_go_with_its_controller(tmp_path: Path) -> None:
    continuous = load(tmp_path, {**FACMAC_CONTINUOUS, "learner": "kfacmac_learner"})
    discrete = load(tmp_path, {**FACMAC_DISCRETE, "learner": "kfacmac_learner"})
    ours = load(tmp_path, {"learner": "facmac_learner", "target_update_mode": "soft"})

    assert (continuous["td_lambda"], continuous["actor_mask"]) == (0.0, False)
    assert continuous["action_l2"] == 0.001
    assert (discrete["td_lambda"], discrete["actor_mask"]) == (0.8, True)
    assert discrete["optimizer_epsilon"] == 1e-7
    assert (ours["actor_mask"], ours["action_l2"]) == (True, 0.0)


@pytest.mark.parametrize("key", ["mac", "agent", "learner", "mixer", "use_rnn", "hidden_dim"])
@pytest.mark.parametrize("value", [{}, [1], {"a": 1}])
def test_a_list_or_mapping_where_one_value_belongs_is_refused(
    tmp_path: Path, key: str, value: object
) -> None:
    with pytest.raises(UserError) as told:
        load(tmp_path, {key: value})

    assert f"theirs.yaml: {key} is {value!r}; give one value" in str(told.value)


def test_levels_may_be_listed_under_each_of_their_names(tmp_path: Path) -> None:
    levels = [[0, 1], [10, 2]]

    assert load(tmp_path, {"learner": "kfacmac_learner", "K": levels})["k_level"] == levels


@pytest.mark.parametrize("text", ["abc", "{}", "null", "1e400", ".inf", "true", "-5"])
def test_a_target_update_that_is_no_number_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "theirs.yaml"
    path.write_text(f"target_update_interval_or_tau: {text}\n")

    with pytest.raises(UserError, match="target_update_interval_or_tau") as told:
        load_config([f"--config={path}", "--env-config=grid"])
    assert "theirs.yaml" in str(told.value)


@pytest.mark.parametrize(("text", "step"), [("1e-3", 0.001), ("0.01", 0.01)])
def test_a_soft_target_update_as_yaml_reads_it(tmp_path: Path, text: str, step: float) -> None:
    path = tmp_path / "theirs.yaml"
    path.write_text(f"target_update_interval_or_tau: {text}\n")

    config = load_config([f"--config={path}", "--env-config=grid"]).config
    assert (config["target_update_mode"], config["target_update_tau"]) == ("soft", step)
