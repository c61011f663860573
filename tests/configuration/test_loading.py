"""Where each setting comes from, what is repaired, what is refused."""

from __future__ import annotations

import itertools
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from configuration import default_config, help_text, list_text, load_config
from configuration.legacy import legacy
from configuration.loading import LoadedConfig
from configuration.schema import CONFIG, settings
from configuration.yaml_files import names
from modules.mixers import REGISTRY as MIXERS
from utils.errors import UserError

SRC = CONFIG.parent
BASE = ["--config=qmix", "--env-config=two_step"]


def load(*updates: str, config: str = "qmix", env: str = "two_step") -> LoadedConfig:
    return load_config([f"--config={config}", f"--env-config={env}", "with", *updates])


def from_yaml(tmp_path: Path, *updates: str, **values: Any) -> LoadedConfig:
    path = tmp_path / "mine.yaml"
    path.write_text(yaml.safe_dump(values))
    return load(*updates, config=str(path))


# ---------------------------------------------------------------- the shipped files


@pytest.mark.parametrize(
    ("algorithm", "env"),
    sorted(
        {
            *itertools.product(names("algs"), ["skirmish", "meet_up"]),
            *itertools.product(["qmix", "kmappo", "kfacmac_mamujoco"], names("envs")),
        }
    ),
)
def test_every_algorithm_loads_with_every_environment(algorithm: str, env: str) -> None:
    loaded = load(config=algorithm, env=env)

    assert loaded.warnings == []
    assert loaded.config["name"] == algorithm
    assert loaded.config["env"] == env
    assert loaded.config.keys() >= default_config().keys()


@pytest.mark.parametrize("kind", ["algs", "envs"])
def test_our_files_hold_only_what_differs(kind: str) -> None:
    for path in (CONFIG / kind).glob("*.yaml"):
        for key, value in yaml.safe_load(path.read_text()).items():
            if key in ("env_args", "maps"):
                continue
            assert key in settings(), f"{path.name}: {key} is not in default.yaml"
            assert value != settings()[key].default, f"{path.name}: {key}"


def test_every_setting_is_explained_and_read_somewhere() -> None:
    code = "\n".join(p.read_text() for p in SRC.rglob("*.py") if "src/configuration" not in str(p))
    files = ("draft", "loading", "merging", "typed")
    loading = "".join((SRC / f"configuration/{name}.py").read_text() for name in files)
    tags = {"label", "repeat_id"}  # to find runs by
    for setting in settings().values():
        assert setting.help or setting.choices, setting.key
        read = re.search(rf"\bargs\.{setting.key}\b|[\"']{setting.key}[\"']", code + loading)
        assert read or setting.key in tags, f"nothing reads {setting.key}"


def test_every_setting_that_code_reads_is_in_default_yaml() -> None:
    runtime = {"device", "n_agents", "n_actions", "state_shape", "obs_shape", "episode_limit"}
    runtime |= {"action_kind", "action_low", "action_high", "action_spaces", "actions_dtype"}
    runtime |= {"normalise_actions"}
    for path in SRC.rglob("*.py"):
        for key in re.findall(r"(?<![\w.])(?:self\.)?_?args\.([a-z]\w*)", path.read_text()):
            assert key in settings() or key in runtime, f"{path.name} reads args.{key}"


# ---------------------------------------------------------------- merging


def test_command_line_wins_over_algorithm_over_environment_over_default(tmp_path: Path) -> None:
    loaded = from_yaml(tmp_path, "lr=0.3", lr=0.2, t_max=77)

    assert (loaded.config["lr"], loaded.origins["lr"]) == (0.3, "command line")
    assert loaded.config["t_max"] == 77  # the environment's file says 10000
    assert loaded.origins["t_max"].endswith("mine.yaml")
    assert loaded.origins["test_interval"] == "two_step.yaml"
    assert loaded.origins["gamma"] == "default"


def test_both_ways_to_name_a_file_mean_the_same() -> None:
    together = load_config(["--config=qmix", "--env-config=two_step"])
    apart = load_config(["--config", "qmix", "--env-config", "two_step"])

    assert together == apart


def test_with_may_be_left_out() -> None:
    assert load_config([*BASE, "lr=0.3"]).config["lr"] == 0.3


@pytest.mark.parametrize(
    ("word", "value"),
    [
        ("t_max=2e6", 2_000_000),
        ("lr=1e-3", 0.001),
        ("lr=1", 1.0),
        ("mixer=None", None),
        ("mixer=null", None),
        ("double_q=False", False),
        ("double_q=false", False),
        ("name=7", "7"),
        ("name='a b'", "a b"),
        ("plugins=[]", []),
        ("seed=None", None),
        ("hypernet_layers=2", 2),
        ("updates_per_episode=0.5", 0.5),
    ],
)
def test_values_of_the_command_line(word: str, value: Any) -> None:
    found = load(word).config[word.split("=")[0]]

    assert found == value
    assert type(found) is type(value)


def test_arguments_of_the_environment_are_merged_and_checked() -> None:
    loaded = load("env_args.size=9", "env_args.seed=4", env="grid")

    assert loaded.config["env_args"]["size"] == 9
    assert loaded.config["env_args"]["seed"] == 4
    assert loaded.config["env_args"]["n_agents"] == 2
    assert loaded.origins["env_args.size"] == "command line"
    assert ("env_args.size", 9, "command line") in loaded.changed


@pytest.mark.parametrize(
    ("typed", "value"), [("4.10", "4.10"), ("'4.10'", "4.10"), ("null", None), ("4", "4")]
)
def test_text_that_looks_like_a_number_stays_text(typed: str, value: Any) -> None:
    assert load(f"env_args.game_version={typed}", env="sc2").config["env_args"] == {
        **load(env="sc2").config["env_args"],
        "game_version": value,
    }
    assert load("label=1e3").config["label"] == "1e3"


def test_a_number_in_a_file_where_text_belongs_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text("env: sc2\nenv_args:\n  game_version: 4.10\n")
    with pytest.raises(UserError, match=r'game_version=4.1 (.|\n)*as "4.10", in quotes'):
        load(env=str(path))


@pytest.mark.parametrize("name", ["sc2", "sc2wrapped"])
def test_a_file_of_others_keeps_what_its_environment_needs(tmp_path: Path, name: str) -> None:
    path = tmp_path / "theirs.yaml"
    path.write_text(f"env: {name}\nenv_args:\n  map_name: 3m\n  step_mul: 4\n")
    loaded = load("env_args.launch_spacing=0", env=str(path))

    assert loaded.config["env_args"] == {"map_name": "3m", "step_mul": 4, "launch_spacing": 0.0}
    assert loaded.config["env_start_timeout"] == 1000.0
    assert loaded.config["env_step_timeout"] == 400.0
    with path.open("a") as file:
        file.write("env_step_timeout: 50.0\n")
    assert load(env=str(path)).config["env_step_timeout"] == 50.0
    with pytest.raises(UserError, match="launch_tries='many'"):
        load("env_args.launch_tries=many", env=str(path))
    with pytest.raises(UserError, match="Did you mean 'launch_tries'"):
        load("env_args.launch_trees=2", env=str(path))


def test_force_lets_an_unknown_setting_through() -> None:
    loaded = load_config(["--force", *BASE, "with", "mine=3"])

    assert loaded.config["mine"] == 3


def test_an_earlier_run_s_settings_replace_the_files() -> None:
    earlier = {**load("lr=0.3").config, "seed": 5}
    loaded = load_config(["with", "t_max=5"], base=earlier)

    assert loaded.config == {**earlier, "t_max": 5}


# ---------------------------------------------------------------- repairs and warnings


def test_yaml_traps_are_repaired_with_a_warning(tmp_path: Path) -> None:
    path = tmp_path / "trap.yaml"
    path.write_text("mixer: None\nlr: 1e-3\noptim_eps: 10E-8\n")
    loaded = load(config=str(path))

    assert loaded.config["mixer"] is None
    assert loaded.config["lr"] == 0.001
    assert loaded.config["optim_eps"] == 1e-7
    assert len(loaded.warnings) == 3
    assert all("trap.yaml" in warning for warning in loaded.warnings)


@pytest.mark.parametrize(
    ("config", "typed", "named"),
    [
        ("facmac", ["k_level=3"], "k_level"),
        ("maddpg", ["mixer=qmix"], "mixer"),
        ("facmac", ["learn_interval=4"], "learn_interval"),
        ("facmac_mamujoco", ["td_lambda=0.5"], "one step ahead"),
        ("facmac_mamujoco", ["updates_per_episode=2"], "learn_interval says"),
    ],
)
def test_what_is_typed_and_not_read_is_named(config: str, typed: list[str], named: str) -> None:
    (warning,) = load(*typed, config=config).warnings
    assert named in warning


def test_what_is_typed_and_read_brings_no_warning() -> None:
    assert load("learn_interval=4", config="facmac_mamujoco").warnings == []
    assert load("td_lambda=0.5", "updates_per_episode=2", config="facmac").warnings == []


def test_unknown_keys_of_a_file_come_in_one_warning_and_are_kept(tmp_path: Path) -> None:
    loaded = from_yaml(tmp_path, q_nstep=0, my_key=3, mixing_embed_dimm=1)

    (warning,) = loaded.warnings
    assert "q_nstep: never read" in warning
    assert "my_key: unknown; kept for plugins" in warning
    assert "Did you mean 'mixing_embed_dim'?" in warning
    assert loaded.config["my_key"] == 3


def test_legacy_keys_are_none_of_ours() -> None:
    assert not legacy().keys() & settings().keys()


def test_a_legacy_key_on_the_command_line_says_what_became_of_it() -> None:
    with pytest.raises(UserError, match=r"'q_nstep' .* never read"):
        load("q_nstep=1")


def test_a_key_may_repeat_itself_but_not_contradict_itself(tmp_path: Path) -> None:
    path = tmp_path / "twice.yaml"
    path.write_text("lr: 0.1\ngamma: 0.9\nlr: 0.1\n")
    assert load(config=str(path)).config["lr"] == 0.1

    path.write_text("lr: 0.1\nlr: 0.2\n")
    with pytest.raises(UserError, match=r"'lr' is 0.1 and then 0.2, line 2"):
        load(config=str(path))


# ---------------------------------------------------------------- dialects


def test_pymarl_is_the_plain_case(tmp_path: Path) -> None:
    assert from_yaml(tmp_path, learner="q_learner").dialect == "pymarl settings"


def test_epymarl_names_are_translated(tmp_path: Path) -> None:
    loaded = from_yaml(
        tmp_path,
        hidden_dim=128,
        use_rnn=False,
        standardise_rewards=True,
        target_update_interval_or_tau=0.01,
        agent="rnn_ns",
        mac="non_shared_mac",
    )

    config = loaded.config
    assert loaded.dialect.startswith("epymarl settings")
    assert "hidden_dim -> rnn_hidden_dim 128" in loaded.dialect
    assert config["rnn_hidden_dim"] == 128
    assert (config["target_update_mode"], config["target_update_tau"]) == ("soft", 0.01)
    assert (config["agent"], config["mac"]) == ("mlp", "basic_mac")
    assert config["share_parameters"] is False
    assert config["optimizer"] == "adam"
    assert "standardise_rewards" in loaded.warnings[0]


def test_an_interval_stays_an_interval(tmp_path: Path) -> None:
    config = from_yaml(tmp_path, target_update_interval_or_tau=200).config

    assert (config["target_update_mode"], config["target_update_interval"]) == ("hard", 200)


def test_pymarl2_and_facmac_are_recognised(tmp_path: Path) -> None:
    pymarl2 = from_yaml(tmp_path, mac="n_mac", agent="n_rnn", learner="nq_learner")
    assert pymarl2.dialect.startswith("pymarl2 settings")
    assert (pymarl2.config["mac"], pymarl2.config["agent"]) == ("basic_mac", "rnn")
    facmac = from_yaml(tmp_path, agent="qmixrnn", weight_decay=True)
    assert facmac.dialect.startswith("facmac settings")
    assert facmac.config["weight_decay"] == 0.0


@pytest.mark.parametrize("text", ["nan", "inf"])
def test_numbers_are_finite(text: str) -> None:
    with pytest.raises(UserError, match="lr: float, at least 0"):
        load(f"lr={text}")


# ---------------------------------------------------------------- plugins


def test_a_plugin_s_names_count_as_known(tmp_path: Path) -> None:
    plugin = tmp_path / "my_mixer.py"
    plugin.write_text("from modules.mixers import REGISTRY\nREGISTRY['mine'] = object\n")

    try:
        assert load(f"plugins=['{plugin}']", "mixer=mine").config["mixer"] == "mine"
        assert load(f"plugins={plugin}").config["plugins"] == [str(plugin)]
    finally:
        del MIXERS["mine"]


def test_a_file_s_plugins_lie_beside_it_and_stay_when_others_are_added(tmp_path: Path) -> None:
    (tmp_path / "one.py").write_text("")
    (tmp_path / "two.py").write_text("")

    loaded = from_yaml(tmp_path, f"plugins={tmp_path}/two.py", plugins="one.py")

    assert loaded.config["plugins"] == [str(tmp_path / "one.py"), str(tmp_path / "two.py")]


# ---------------------------------------------------------------- help


def test_help_lists_every_setting_with_its_meaning() -> None:
    text = help_text()
    for setting in settings().values():
        assert f"  {setting.key}=" in text
        assert setting.help.split()[0] in text if setting.help else True
    assert max(map(len, text.splitlines())) <= 100


def test_lists_name_what_there_is() -> None:
    assert "  armappo               MAPPO; each agent hears earlier ones\n" in list_text("algs")
    assert all(1 <= len(line.split()[1:]) <= 6 for line in list_text("algs").splitlines())
    assert "two_step" in list_text("envs")
    assert "q_learner" in list_text("learners")
    assert "sc2/corridor" in list_text("maps")


@pytest.mark.parametrize("words", [["--help"], ["--list"]])
def test_help_and_lists_need_neither_torch_nor_sacred(words: list[str]) -> None:
    script = (
        "import sys; sys.modules['sacred'] = sys.modules['numpy'] = sys.modules['torch'] = None;"
        f"sys.path.insert(0, {str(SRC)!r}); from main import main; sys.exit(main({words!r}))"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)

    assert done.returncode == 0, done.stderr
    assert "qmix" in done.stdout


def test_print_config_marks_what_was_changed(capsys: pytest.CaptureFixture[str]) -> None:
    from main import main

    assert main(["print_config", *BASE, "with", "lr=0.3"]) == 0

    lines = capsys.readouterr().out.splitlines()
    (lr,) = [line for line in lines if line[2:].startswith("lr ")]
    assert lr.startswith("* lr")
    assert lr.endswith("command line")
    (gamma,) = [line for line in lines if line[2:].startswith("gamma ")]
    assert gamma.startswith("  gamma")
