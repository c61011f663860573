"""What learners declare: keys that follow from others, what they refuse, what they do not use."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from configuration import load_config
from configuration.fit import check_fit
from configuration.loading import LoadedConfig
from configuration.unused import uses_of_all
from configuration.yaml_files import names
from learners import REGISTRY as LEARNERS
from learners.turns import SequentialLearner
from modules.agents import REGISTRY as AGENTS
from modules.critics import REGISTRY as CRITICS
from modules.mixers import REGISTRY as MIXERS
from tests.make import (
    continuous_args,
    full_scheme,
    make_args,
    make_batch,
    make_learner,
    on_policy_args,
    policy_args,
)
from utils.errors import UserError
from utils.needs import Needs, declares_uses, needs_of

ON_POLICY = (
    *("mappo", "ippo", "kmappo", "coma", "happo", "a2po", "hatrpo", "khappo", "bppo", "bnmappo"),
    "magpo",
)
SIZES = ("batch_size_run", "batch_size", "buffer_size")


def load(config: str, *words: str) -> LoadedConfig:
    return load_config([f"--config={config}", "--env-config=grid", "with", *words])


# ---------------------------------------------------------------- what follows


@pytest.mark.parametrize("name", ON_POLICY)
def test_the_sizes_of_a_round_follow_from_the_number_of_environments(name: str) -> None:
    loaded = load(name, "batch_size_run=16")

    assert [loaded.config[key] for key in SIZES] == [16, 16, 16]
    shown = {key: origin for key, _, origin in loaded.changed}
    assert shown["batch_size"] == shown["buffer_size"] == "follows batch_size_run"


def test_what_was_typed_does_not_follow() -> None:
    with pytest.raises(UserError, match="Add: batch_size=16"):
        load("mappo", "batch_size_run=16", "batch_size=8")
    assert load("qmix", "batch_size_run=16").config["batch_size"] == 32


def test_a_file_s_sizes_follow_what_was_typed(tmp_path: Path) -> None:
    path = tmp_path / "theirs.yaml"
    policy = "action_selector: multinomial\nagent_output_type: pi_logits\n"
    path.write_text(
        f"learner: coma_learner\nbatch_size_run: 8\nbatch_size: 8\nbuffer_size: 8\n{policy}"
    )

    assert [load(str(path)).config[key] for key in SIZES] == [8, 8, 8]
    assert [load(str(path), "batch_size_run=4").config[key] for key in SIZES] == [4, 4, 4]


def test_without_any_size_the_learner_says_which() -> None:
    with pytest.raises(UserError, match="Add: batch_size_run=8 batch_size=8 buffer_size=8"):
        load("facmac", "learner=mappo_learner", "updates_per_episode=null")


# ---------------------------------------------------------------- what is refused


@pytest.mark.parametrize("look", ["evaluate=True", "save_replay=True"])
def test_who_only_tests_is_asked_for_no_size(look: str) -> None:
    odd = ["batch_size_run=1", "batch_size=7", "buffer_size=5", "buffer_warmup=9"]
    for name in ("mappo", "facmac"):
        with pytest.raises(UserError):
            load(name, *odd)
        config = load(name, *odd, look, "checkpoint_path=somewhere").config
        check_fit({**config, "action_kind": "discrete"})


def test_sampled_continuous_policies_need_a_spread() -> None:
    words = ["--config=mappo", "--env-config=meet_up", "with", "act_noise=0"]
    with pytest.raises(UserError, match=r"act_noise=0 leaves none. Type act_noise=0.1"):
        check_fit({**load_config(words).config, "action_kind": "continuous"})


@pytest.mark.parametrize("name", names("algs"))
def test_no_levels_are_refused_or_named(name: str) -> None:
    """By every learner: it has levels, or it says that it has none."""
    if load(name).config["learner"].startswith("k"):
        with pytest.raises(UserError, match="k_level=0 cannot be"):
            load(name, "k_level=0")
        return
    (warning,) = load(name, "k_level=0").warnings
    learner = load(name).config["learner"]
    assert f"learner={learner} does not use k_level." in warning
    assert (f"Type learner=k{learner}" in warning) == (f"k{learner}" in LEARNERS)


# ---------------------------------------------------------------- what is not used


@pytest.mark.parametrize(
    ("config", "word", "said"),
    [
        ("qmix", "gae_lambda=0.9", "learner=q_learner does not use gae_lambda."),
        ("mappo", "double_q=False", "learner=mappo_learner does not use double_q."),
        ("mappo", "mixer=vdn", "learner=mappo_learner does not use mixer."),
        ("maddpg", "hypernet_embed=8", "learner=maddpg_learner does not use hypernet_embed."),
        ("vdn", "hypernet_embed=8", "mixer=vdn does not use hypernet_embed."),
        ("ippo", "obs_individual_obs=True", "critic_type=ac_critic does not use obs_individ"),
        ("comix", "epsilon_start=0.3", "action_selector=gaussian does not use epsilon_start."),
        ("mappo", "optim_alpha=0.9", "optimizer=adam does not use optim_alpha."),
        ("qmix", "target_update_tau=0.1", "target_update_mode=hard does not use target_update_tau"),
        ("qmix", "learn_interval=9", "runner_scope=episodic does not use learn_interval: "),
        ("mappo", "agent_order=reverse", "mac=basic_mac does not use agent_order."),
        ("armappo", "graph=chain", "mac=ordered_mac does not use graph."),
        ("hatrpo", "actor_optimizer=rmsprop", "hatrpo_learner does not use actor_optimizer."),
        ("kmappo", "k_noise=fresh", "learner=kmappo_learner does not use k_noise."),
    ],
)
def test_what_is_typed_in_vain_is_named(config: str, word: str, said: str) -> None:
    (warning,) = load(config, word).warnings

    assert said in warning


def test_what_is_typed_and_used_is_not_named() -> None:
    """K-FACMAC's actors have RMSProp, whatever its critic has."""
    assert load("armappo", "agent_order=random", "told_through=projection").warnings == []
    assert load("kfacmac", "optimizer=adam", "optim_alpha=0.9", "k_noise=fresh").warnings == []
    rollouts = load("mappo", "rollout_length=9", "batch_size=7").warnings
    assert rollouts == ["rollout_length=9 does not use batch_size."]


def test_what_an_own_file_says_in_vain_is_named(tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text("mixer: qmix\ngae_lambda: 0.5\nentropy_coef: 0.0\n")  # the last is the default

    said = f"{path}: learner=q_learner does not use gae_lambda."
    assert load(str(path)).warnings == [said]


def test_nobody_speaks_for_learners_of_others(monkeypatch: pytest.MonkeyPatch) -> None:
    class Plain:
        """Written for PyMARL."""

    class Descendant(LEARNERS["q_learner"]):
        """Reads what it likes, and still is asked what its base asks."""

    monkeypatch.setitem(LEARNERS, "plain", Plain)
    monkeypatch.setitem(LEARNERS, "descendant", Descendant)

    assert load("qmix", "learner=plain", "k_level=0", "gae_lambda=0.5").warnings == []
    assert load("qmix", "learner=descendant", "k_level=0").warnings == []
    with pytest.raises(UserError, match="agent_output_type=q"):
        load("qmix", "learner=descendant", "agent_output_type=pi_logits")


# ---------------------------------------------------------------- what is declared is true


class Watched(SimpleNamespace):
    """Settings that note what is asked of them."""

    def __getattribute__(self, name: str) -> Any:
        if name != "read" and not name.startswith("__"):
            super().__getattribute__("read").add(name)
        return super().__getattribute__(name)


def watched(args: SimpleNamespace) -> tuple[Watched, set[str]]:
    read: set[str] = set()
    return Watched(**vars(args), read=read), read


def settings_for(learner: str, **more: Any) -> SimpleNamespace:
    given = {"learner": learner, "learner_log_interval": 0, "k_level": 3, **more}
    if learner == "cq_learner":
        return continuous_args(mac="cem_mac", agent="cem", **given)
    if learner in ("q_learner", "qtran_learner"):
        return make_args(mixer="qtran_base" if "qtran" in learner else "vdn", **given)
    if learner == "team_learner":
        return on_policy_args(mac="team_mac", agent="mat", **given)
    if learner == "magpo_learner":
        return on_policy_args(mac="guided_mac", **given)
    in_turns = issubclass(LEARNERS[learner], SequentialLearner)
    given["share_parameters"] = not in_turns
    if learner == "bppo_learner":
        given["mac"] = "ordered_mac"
    if learner == "bnmappo_learner":
        given |= {"mac": "graph_mac", "graph": "learned"}
    on_policy = in_turns or learner.startswith(("mappo", "ippo", "coma", "kmappo", "bnmappo"))
    return (on_policy_args if on_policy else policy_args)(**given)


WAYS = [
    {"optimizer": "adam", "target_update_mode": "soft", "k_lookahead_scale": 0.5},
    {"optimizer": "rmsprop", "target_update_mode": "hard", "target_update_interval": 1},
]
# The loop reads the one; all learners the other, when some have made it None.
NOT_ITS_OWN = {"rollout_length", "mixer"}


OURS = [
    name
    for name in LEARNERS
    if LEARNERS[name].__module__.startswith("learners.") and not name.endswith("_discrete")
]


@pytest.mark.parametrize("name", OURS)
def test_learners_read_what_they_say_they_use(name: str) -> None:
    found: set[str] = set()
    for way in WAYS:
        args, read = watched(settings_for(name, **way))
        learner = make_learner(args)
        for t_env in (1, 2):
            learner.train(make_batch(args), t_env=t_env, episode_num=t_env)
        found |= read

    assert declares_uses(LEARNERS[name])
    declared = needs_of(LEARNERS[name]).uses
    assert found & uses_of_all("learners") - NOT_ITS_OWN == declared - NOT_ITS_OWN


@pytest.mark.parametrize(("registry", "kind"), [(MIXERS, "mixers"), (CRITICS, "critics")])
def test_mixers_and_critics_read_what_they_say_they_use(registry: Any, kind: str) -> None:
    for name, part in registry.items():
        args, read = watched(make_args(hypernet_layers=2))
        built = part(args) if kind == "mixers" else part(full_scheme(args), args)
        if name.startswith("qmix"):
            built.at(make_batch(args)["state"])
        assert read & uses_of_all(kind) == needs_of(part).uses, name


@pytest.mark.parametrize("name", ["mat", "sable", "cmat"])
def test_team_networks_read_what_they_say_they_use(name: str) -> None:
    args, read = watched(make_args())
    AGENTS[name](3, 2, 2, args)

    assert read & uses_of_all("agents") == needs_of(AGENTS[name]).uses


def test_needs_add_up() -> None:
    one = Needs(follows={"a": "b"}, uses=frozenset({"x"}))
    both = one.also(Needs(follows={"c": "b"}), uses={"y"})

    assert (both.follows, both.uses) == ({"a": "b", "c": "b"}, {"x", "y"})
