"""What plugins register comes before what a dialect makes of the same name."""

from __future__ import annotations

import copy
import importlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from configuration import LoadedConfig, load_config
from configuration.arguments import Arguments
from configuration.plugins import failure_of, load_plugins
from configuration.schema import REGISTRIES
from utils.errors import UserError

REGISTER = "from {module} import REGISTRY\nREGISTRY['{name}'] = type('Theirs', (), {{}})\n"
TRANSLATED = {  # the names of others that would be translated -> their setting and registry
    "nq_learner": ("learner", "learners"),
    "ppo_learner": ("learner", "learners"),
    "n_mac": ("mac", "controllers"),
    "cqmix_mac": ("mac", "controllers"),
    "n_rnn": ("agent", "modules.agents"),
    "qmixrnn": ("agent", "modules.agents"),
}


@pytest.fixture(autouse=True)
def registries() -> Iterator[None]:
    """As they were before the test."""
    found = [importlib.import_module(module).REGISTRY for module in REGISTRIES.values()]
    before = [(dict(registry._entries), dict(registry._own)) for registry in found]
    yield
    for registry, (entries, own) in zip(found, before, strict=True):
        registry._entries, registry._own = entries, own


def load(folder: Path, plugin: str, *typed: str, **values: Any) -> LoadedConfig:
    """The settings of a file `values` with one plugin."""
    (folder / "mine.py").write_text(plugin)
    path = folder / "theirs.yaml"
    path.write_text(yaml.safe_dump({**values, "plugins": ["mine.py"]}))
    return load_config([f"--config={path}", "--env-config=two_step", "with", *typed])


@pytest.mark.parametrize("name", TRANSLATED)
def test_a_registered_name_is_not_translated_and_it_is_said(tmp_path: Path, name: str) -> None:
    key, module = TRANSLATED[name]

    loaded = load(tmp_path, REGISTER.format(module=module, name=name), **{key: name})

    assert loaded.config[key] == name
    assert f"from plugins: {key} {name}" in loaded.dialect
    assert f"{key} {name} ->" not in loaded.dialect


def test_a_network_of_a_plugin_is_not_copied_for_each_agent(tmp_path: Path) -> None:
    plugin = REGISTER.format(module="modules.agents", name="rnn_ns")

    config = load(tmp_path, plugin, mac="non_shared_mac", agent="rnn_ns").config

    assert (config["mac"], config["agent"]) == ("basic_mac", "rnn_ns")
    assert config["share_parameters"] is True


def test_a_plugin_of_the_command_line_comes_first_too(tmp_path: Path) -> None:
    plugin, path = tmp_path / "mine.py", tmp_path / "theirs.yaml"
    plugin.write_text(REGISTER.format(module="controllers", name="n_mac"))
    path.write_text("mac: n_mac\n")

    words = [f"--config={path}", "--env-config=two_step", "with", f"plugins={plugin}"]
    assert load_config(words).config["mac"] == "n_mac"


def test_an_agent_that_replaces_ours_is_asked_for_by_our_name(tmp_path: Path) -> None:
    plugin = REGISTER.format(module="modules.agents", name="rnn")

    loaded = load(tmp_path, plugin, use_rnn=False, hidden_dim=8)

    assert loaded.config["agent"] == "rnn"
    assert loaded.config["use_rnn"] is False
    assert "from plugins: agent rnn" in loaded.dialect


def test_epymarl_code_finds_its_names_for_what_the_run_has(tmp_path: Path) -> None:
    plugin = REGISTER.format(module="learners", name="their_learner")

    config = load(
        tmp_path,
        plugin,
        "rnn_hidden_dim=16",
        learner="their_learner",
        hidden_dim=128,
        target_update_interval_or_tau=0.01,
        q_nstep=5,
    ).config

    assert (config["hidden_dim"], config["rnn_hidden_dim"]) == (16, 16)
    assert config["target_update_interval_or_tau"] == 0.01
    assert (config["common_reward"], config["add_value_last_step"]) == (True, True)
    assert config["q_nstep"] == 5


def test_facmac_s_code_finds_what_only_its_defaults_say(tmp_path: Path) -> None:
    plugin = REGISTER.format(module="learners", name="maddpg_learner_discrete")

    loaded = load(tmp_path, plugin, learner="maddpg_learner_discrete", agent="qmixrnn")

    assert loaded.config["recurrent_critic"] is False
    assert loaded.config["actor_mask"] is True  # what FACMAC's does by itself


def test_a_file_that_registers_nothing_is_warned_of(tmp_path: Path) -> None:
    loaded = load(tmp_path, "class QLearner: pass\n", learner="q_learner")

    assert any("has registered nothing" in warning for warning in loaded.warnings)


def test_a_missing_module_of_another_repository_is_named(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"no modules\.mixers\.nmix\. Copy .*/nmix\.py"):
        load(tmp_path, "from modules.mixers.nmix import Mixer\n")


def test_a_name_that_our_module_of_that_path_lacks_is_told(tmp_path: Path) -> None:
    told = r"utils.rl_utils of PyMARL-K is another. Copy .* src/utils/rl_utils.py into the file"
    with pytest.raises(UserError, match=told):
        load(tmp_path, "from utils.rl_utils import build_gae_targets\n")


def test_a_setting_that_a_plugin_misses_is_named() -> None:
    args = Arguments(lr=0.1)

    with pytest.raises(UserError, match=r"plugins.py, line \d+, reads args.common_reward") as told:
        _ = args.common_reward
    assert "dialect: epymarl" in str(told.value)
    assert not hasattr(args, "verbose")
    assert getattr(args, "use_per", 3) == 3
    assert copy.deepcopy(args).lr == copy.copy(args).lr == 0.1


def test_an_error_in_a_plugin_s_code_is_told_with_its_lines(tmp_path: Path) -> None:
    path = tmp_path / "breaks.py"
    path.write_text("def broken():\n    return {}['gone']\n")
    load_plugins([str(path)])
    import plugin_breaks  # type: ignore[import-not-found]

    with pytest.raises(KeyError) as theirs:
        plugin_breaks.broken()
    with pytest.raises(KeyError) as ours:
        _ = {}["gone"]

    told = failure_of(theirs.value)
    assert told is not None
    assert "KeyError: 'gone'" in told
    assert f"{path}, line 2: return {{}}['gone']" in told
    assert failure_of(ours.value) is None


@pytest.mark.parametrize("plugins", ["[[a]]", "[3]", "[{a: 1}]", "[null]"])
def test_plugins_that_are_no_texts_are_refused(tmp_path: Path, plugins: str) -> None:
    path = tmp_path / "theirs.yaml"
    path.write_text(f"plugins: {plugins}\n")

    for words in ([f"--config={path}"], ["--config=qmix", f"plugins={plugins}"]):
        with pytest.raises(UserError, match="plugins is a list of texts"):
            load_config(["--env-config=two_step", *words])


@pytest.mark.parametrize("plugin", ["../x", ".rel", "", "a..b", "no_such_module"])
def test_what_names_no_module_is_said_to(plugin: str) -> None:
    with pytest.raises(UserError, match=r"Give an importable module, or the path of a \.py file"):
        load_plugins([plugin])


def test_a_plugin_that_ends_the_program_is_named(tmp_path: Path) -> None:
    path = tmp_path / "leaves.py"
    path.write_text("import sys\nsys.exit(3)\n")

    with pytest.raises(UserError) as told:
        load_plugins([str(path)])
    assert f"{path} failed with SystemExit: 3\nat {path}, line 2." in str(told.value)


def test_a_plugin_that_is_no_python_is_told_with_its_line(tmp_path: Path) -> None:
    path = tmp_path / "unfinished.py"
    path.write_text("x = 1\n\ndef f(:\n")

    with pytest.raises(UserError, match="SyntaxError") as told:
        load_plugins([str(path)])
    assert f"at {path}, line 3." in str(told.value)
