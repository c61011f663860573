"""Exported policies decide as those that they were made of, whatever kind they are."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

import pymarlk
from configuration import load_config
from configuration.fit import check_fit
from configuration.yaml_files import names
from exporting.check import disagreements
from exporting.command import export
from exporting.greedy import GreedyPolicy
from main import main
from pymarlk.acting import Policy
from training.alone import untrained
from training.task import TaskSizes
from utils.errors import UserError

N, A, O = 3, 4, 5
DISCRETE = TaskSizes(N, A, O, 7, 20, "discrete", None, None)
CONTINUOUS = TaskSizes(N, A, O, 7, 20, "continuous", [[-1.0] * A] * N, [[2.0] * A] * N)
TASKS = {"grid": DISCRETE, "cts_matrix_game": CONTINUOUS}
ACTING = ("mac", "agent", "share_parameters", "action_selector", "told_through", "graph",
          "agent_order", "obs_last_action", "obs_agent_id", "guide_agent")  # fmt: skip


def policy(algorithm: str, *words: str, env: str = "grid") -> Policy:
    """Untrained, of three agents with four actions."""
    torch.manual_seed(1)
    small = ["rnn_hidden_dim=16", *words]
    config = load_config([f"--config={algorithm}", f"--env-config={env}", "with", *small]).config
    return Policy(untrained(config, TASKS[env]).policy, config, TASKS[env], 0)


def different_policies() -> list[tuple[str, str]]:
    """Algorithm files whose agents act in different ways, and an environment; two of them have
    continuous actions.
    """
    found: dict[tuple[object, ...], tuple[str, str]] = {}
    for name in names("algs"):
        config = load_config([f"--config={name}", "--env-config=grid"]).config
        try:
            check_fit({**config, "action_kind": "discrete"})
        except UserError:  # it is not for such actions
            continue
        found.setdefault(tuple(config[key] for key in ACTING), (name, "grid"))
    return [*found.values(), ("facmac", "cts_matrix_game"), ("mappo", "cts_matrix_game")]


@pytest.mark.parametrize(("algorithm", "env"), different_policies())
def test_every_kind_of_policy_is_exported(algorithm: str, env: str, tmp_path: Path) -> None:
    assert export(policy(algorithm, env=env), "torchscript", tmp_path).disagreements == 0


@pytest.mark.parametrize("words", [["agent_order=random"], ["told_through=projection"]])
def test_drawn_orders_are_inputs(words: list[str], tmp_path: Path) -> None:
    assert export(policy("armappo", *words), "torchscript", tmp_path).disagreements == 0
    inputs = json.loads((tmp_path / "policy.json").read_text())["inputs"]

    assert ("noise" in [each["name"] for each in inputs]) == (words[0] == "agent_order=random")


def test_a_search_by_chance_keeps_its_weights_alone(tmp_path: Path) -> None:
    made = policy("comix", env="cts_matrix_game")
    with pytest.raises(UserError, match="--format=safetensors"):
        export(made, "torchscript", tmp_path)
    pytest.importorskip("safetensors", reason="pip install -r requirements/export.txt")

    assert export(made, "safetensors", tmp_path).disagreements == 0


def test_a_policy_that_differs_is_found_out() -> None:
    made, other = policy("qmix"), policy("qmix")
    with torch.no_grad():
        for weight in other.inner.parameters():
            weight.neg_()
    functions = GreedyPolicy(made.inner), GreedyPolicy(other.inner)

    assert disagreements(functions[0], lambda slot: functions[0](**slot.given())) == 0
    assert disagreements(functions[0], lambda slot: functions[1](**slot.given())) > 0


@pytest.mark.parametrize("algorithm", ["qmix", "mat"])
def test_onnx_decides_the_same(algorithm: str, tmp_path: Path) -> None:
    """Two of them, for each takes seconds; docs/export.md says which were tried."""
    pytest.importorskip("onnxscript", reason="pip install -r requirements/export.txt")
    pytest.importorskip("onnxruntime", reason="pip install -r requirements/export.txt")

    assert export(policy(algorithm), "onnx", tmp_path).disagreements == 0


def test_weights_come_back_as_a_policy(tmp_path: Path) -> None:
    pytest.importorskip("safetensors", reason="pip install -r requirements/export.txt")
    made = policy("qmix")
    export(made, "safetensors", tmp_path)
    again = pymarlk.load_policy(tmp_path)
    obs = torch.randn(2, N, O).numpy()

    assert again.settings["mixer"] == "qmix"
    assert (again.act(obs)[0] == made.act(obs)[0]).all()
    (tmp_path / "policy.safetensors").write_bytes(b"torn")
    with pytest.raises(UserError, match="cannot be loaded"):
        pymarlk.load_policy(tmp_path)
    settings = json.loads((tmp_path / "policy.json").read_text())
    settings["settings"]["plugins"] = ["strange.py"]
    (tmp_path / "policy.json").write_text(json.dumps(settings))
    with pytest.raises(UserError, match="trust=True"):
        pymarlk.load_policy(tmp_path)


def test_exported_agents_explore_by_no_guide(tmp_path: Path) -> None:
    pytest.importorskip("safetensors", reason="pip install -r requirements/export.txt")
    export(policy("magpo"), "safetensors", tmp_path)
    again, obs = pymarlk.load_policy(tmp_path), torch.randn(2, N, O).numpy()
    again.act(obs)

    with pytest.raises(UserError, match="the guide is in the run"):
        again.act(obs, explore=True)


def test_the_description_says_what_goes_in_and_out(tmp_path: Path) -> None:
    export(policy("qmix"), "torchscript", tmp_path)
    found = json.loads((tmp_path / "policy.json").read_text())
    shapes = {each["name"]: each["shape"] for each in found["inputs"]}

    assert shapes == {
        "obs": ["batch", N, O],
        "last_actions": ["batch", N, A],
        "avail": ["batch", N, A],
        "memory": ["batch", N, 16],
    }
    outputs = {each["name"]: each["dtype"] for each in found["outputs"]}
    assert outputs == {"actions": "int64", "action_vectors": "float32", "next_memory": "float32"}
    assert found["actions"]["kind"] == "discrete"
    assert "local_results_path" not in found["settings"]


def test_the_command_writes_beside_the_run(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pymarlk.train("iql", "two_step", results=tmp_path, t_max=20, test_nepisode=1)
    place = f"local_results_path={tmp_path}"
    assert main(["export", "1", "--format=torchscript", place]) == 0
    said = capsys.readouterr().out

    assert "checked: the same actions in 6 slots" in said
    assert (tmp_path / "sacred" / "1" / "export" / "torchscript" / "policy.pt").is_file()
    for words, error in (
        (["--format=onxx"], "onnx"),
        (["--checkpoint=newest"], "type last, best, or a step"),
        (["1", "checkpoint=best"], "knows nothing like 'checkpoint=best'"),
        (["--format=torchscript", f"--to={tmp_path}/sacred/1/run.json"], "--to=FOLDER"),
    ):
        assert main(["export", *words, place]) == 2
        assert error in capsys.readouterr().err
