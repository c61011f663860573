"""Settings files of PyMARL's relatives: who wrote them, and what their names are called here."""

from __future__ import annotations

from collections.abc import Iterator

from configuration.plugins import registered
from configuration.schema import Setting, settings
from configuration.values import fit
from utils.errors import UserError
from utils.settings import Settings

TARGET_UPDATE = "target_update_interval_or_tau"
EPYMARL_KEYS = {TARGET_UPDATE, "hidden_dim", "use_rnn", "standardise_rewards"}
FACMAC_NAMES = {"mac": {"cqmix_mac"}, "agent": {"qmixrnn"}}
PYMARL2_NAMES = {
    "learner": {"nq_learner", "max_q_learner", "dmaq_qatten_learner", "policy_gradient_v2"}
    | {"lica_learner", "offpg_learner", "fmac_learner"},
    "mac": {"n_mac", "conv_mac", "ppo_mac", "lica_mac", "dop_mac"},
}
ALIASES = {  # what others, and people who type, call our keys
    "K": "k_level",
    "k": "k_level",
    "n_levels": "k_level",
    "hidden_dim": "rnn_hidden_dim",
    "mini_epochs": "epochs",
    "use_value_norm": "value_norm",
    "wandb_entity": "wandb_team",
}
FOREIGN_KEYS = {*ALIASES, TARGET_UPDATE, "use_rnn"}  # said in our words instead
EPYMARL_ON_POLICY = ("ppo_learner", "mappo_learner", "ippo_learner", "kmappo_learner")
# (key, their value) -> our settings.
RENAMED_VALUES: dict[tuple[str, str], Settings] = {
    ("agent", "rnn_ns"): {"agent": "rnn", "share_parameters": False},
    ("agent", "n_rnn"): {"agent": "rnn"},
    ("mac", "non_shared_mac"): {"mac": "basic_mac", "share_parameters": False},
    ("mac", "n_mac"): {"mac": "basic_mac"},
    ("learner", "nq_learner"): {"learner": "q_learner"},
    ("learner", "ppo_learner"): {"learner": "mappo_learner"},
    ("critic_type", "maddpg_critic"): {"critic_type": None},
    ("critic_type", "maddpg_critic_ns"): {"critic_type": None},
    ("agent", "qmixrnn"): {"agent": "rnn"},
    ("agent", "ff"): {"agent": "mlp"},
    ("target_update_mode", "exponential_moving_average"): {"target_update_mode": "soft"},
    ("mac", "maddpg_mac"): {
        "mac": "basic_mac",
        "action_selector": "gumbel",
        "agent_output_type": "pi_logits",
        "epsilon_start": 0.0,
        "epsilon_finish": 0.0,
    },
}
# What code of each reads from `args` though its settings files need not say it.
THEIR_DEFAULTS: dict[str, Settings] = {
    "epymarl": {"common_reward": True, "add_value_last_step": True},
    "facmac": {"recurrent_critic": False},
}
# What FACMAC's learners do without being told; a settings file may not know these keys.
CONTINUOUS_HABITS = {"td_lambda": 0.0, "actor_mask": False, "action_l2": 0.001}


def check_values(values: Settings, label: str) -> None:
    """Refuse what nothing below could compare or translate, in the algorithm file `label`."""
    for key, value in values.items():
        if isinstance(value, list | dict) and _is_single(key):
            raise UserError(
                f"{label}: {key} is {value!r}; give one value: text, a number, True, False or null."
            )
    if TARGET_UPDATE in values:
        fit(_target_update_setting(), values[TARGET_UPDATE], label)


def _is_single(key: str) -> bool:
    """Whether a value of `key` is no list and no mapping."""
    ours = ALIASES.get(key, key)
    if ours in settings():
        return not {"list", "dict"} & set(settings()[ours].types)
    return key in FOREIGN_KEYS | EPYMARL_KEYS | {name for name, _ in RENAMED_VALUES}


def recognise(values: Settings) -> str:
    """pymarl, facmac, epymarl or pymarl2, from the keys of an algorithm file."""
    if EPYMARL_KEYS & values.keys():
        return "epymarl"
    if "run" in values or any(values.get(key) in known for key, known in PYMARL2_NAMES.items()):
        return "pymarl2"
    if any(values.get(key) in known for key, known in FACMAC_NAMES.items()):
        return "facmac"
    return "pymarl"


def translate(values: Settings, dialect: str) -> tuple[Settings, list[str]]:
    """The same settings under our names, and a word on each change.

    What a plugin has registered keeps its name.
    """
    ours, notes = dict(values), []
    own = plugin_names(values)
    for theirs, change in _changes(values, dialect, own):
        notes.append(f"{theirs} -> {', '.join(f'{k} {v}' for k, v in change.items())}")
        ours.update(change)
    for key in FOREIGN_KEYS & ours.keys():
        del ours[key]
    if "return_steps" in ours:
        ours.pop("q_nstep", None)
    for key in [key for key, value in ours.items() if value is None and must_have_value(key)]:
        del ours[key]  # "does not apply", in FACMAC's files
    if isinstance(ours.get("weight_decay"), bool):  # FACMAC's switch, which nothing reads
        del ours["weight_decay"]
        notes.append("weight_decay True/False dropped")
    return ours, notes


def plugin_names(values: Settings) -> Settings:
    """Those of the settings, given or by default, whose name a plugin has registered."""
    named = {key: values.get(key, s.default) for key, s in settings().items() if s.registry}
    return {key: name for key, name in named.items() if registered(key, name)}


def _changes(values: Settings, dialect: str, own: Settings) -> Iterator[tuple[str, Settings]]:
    """(what they say, our settings that mean it), but for the names `own` of plugins."""
    # Learners of plugins choose a critic, and compute what they do, by themselves.
    kept = {*own, "critic_type"} if "learner" in own else own.keys()
    for (key, value), meaning in RENAMED_VALUES.items():
        if values.get(key) != value or key in kept:
            continue
        # A plugin's network may hold one for each agent by itself, as EPyMARL's rnn_ns.
        spared = {"share_parameters"} if "agent" in own else set()
        yield f"{key} {value}", {k: v for k, v in meaning.items() if k not in spared}
    for alias in ALIASES.keys() & values.keys():
        yield alias, {ALIASES[alias]: values[alias]}
    if TARGET_UPDATE in values:
        yield TARGET_UPDATE, _target_update(values)
    if "agent" not in own and values.get("use_rnn") is False and _is_rnn(values):
        yield "use_rnn False", {"agent": "mlp"}
    if values.get("mac") == "cqmix_mac" and "mac" not in own:
        yield "mac cqmix_mac", _continuous_controller(values)
    if dialect == "facmac" and (habits := _facmac_habits(values, "learner" in own)):
        yield f"learner {values['learner']}", habits
    if dialect == "epymarl" and "optimizer" not in values:
        yield "no optimizer", {"optimizer": "adam"}
    if dialect == "epymarl" and "learner" not in own and (habits := _on_policy_habits(values)):
        yield f"learner {values['learner']}", habits


def _is_rnn(values: Settings) -> bool:
    return values.get("agent", "rnn") in ("rnn", "rnn_ns")


def names_for_plugins(theirs: Settings, ours: Settings, dialect: str) -> Settings:
    """What code of another repository reads from `args` by its own name, and we by ours.

    `theirs` is its settings file, `ours` the settings that the run has in the end.
    """
    found = dict(THEIR_DEFAULTS.get(dialect, {}))
    found |= {key: theirs[key] for key in FOREIGN_KEYS & theirs.keys()}
    said = {*theirs, "hidden_dim"} if dialect == "epymarl" else theirs.keys()
    found |= {alias: ours[key] for alias, key in ALIASES.items() if alias in said}
    if dialect == "epymarl":
        soft = ours["target_update_mode"] == "soft"
        key = "target_update_tau" if soft else "target_update_interval"
        found[TARGET_UPDATE] = ours[key]
    return {key: value for key, value in found.items() if key not in ours}


def _continuous_controller(values: Settings) -> Settings:
    """FACMAC's controller of continuous actions: of policies, or of values that are searched."""
    if values.get("agent") in ("cem", "cemrnn"):
        return {"mac": "cem_mac"}
    return {"mac": "basic_mac", "action_selector": "gaussian"}


def _facmac_habits(values: Settings, is_theirs: bool) -> Settings:
    """Settings that make our learner, K-level or not, compute what FACMAC's of this name does.

    FACMAC's own learner, if `is_theirs`, needs its default of Adam's epsilon, because ours is set.
    """
    learner = str(values.get("learner"))
    family = learner.removesuffix("_discrete").removeprefix("k")
    habits: Settings = {}
    if family in ("facmac_learner", "maddpg_learner") and not is_theirs:
        if values.get("mac") == "cqmix_mac":
            habits |= CONTINUOUS_HABITS
            if values.get("target_update_mode") == "hard":
                habits["target_update_interval"] = 1  # it copies at every step
        elif family == "maddpg_learner":
            habits["actor_mask"] = False
        if family == learner.removesuffix("_discrete") == "maddpg_learner":
            habits["k_maddpg_level0"] = "replay"  # K levels answer policies
    if values.get("optimizer") == "adam" and "optimizer_epsilon" not in values:
        habits["optimizer_epsilon"] = 1e-7
    return habits


def _on_policy_habits(values: Settings) -> Settings:
    """Settings that make our learner compute what EPyMARL's of this name does."""
    learner = values.get("learner")
    if learner not in (*EPYMARL_ON_POLICY, "coma_learner"):
        return {}
    habits = {
        "critic_hidden_dim": values.get("hidden_dim", settings()["rnn_hidden_dim"].default),
        "return_steps": values.get("q_nstep", 0),
    }
    if learner == "coma_learner":
        return {**habits, "critic_step_each": "batch"}
    standardised = values.get("standardise_rewards") or values.get("standardise_returns")
    return {
        **habits,
        "critic_targets": True,
        "normalise_advantages": False,
        "value_clip": False,
        "value_norm": bool(standardised),
        "dead_mask": False,
    }


def must_have_value(key: str) -> bool:
    """Whether null is no value of this setting."""
    return key in settings() and not settings()[key].nullable


def _target_update(values: Settings) -> Settings:
    """Above 1 an interval between copies, else a soft step."""
    amount, _ = fit(_target_update_setting(), values[TARGET_UPDATE], TARGET_UPDATE)
    assert isinstance(amount, int | float)
    if amount > 1:
        return {"target_update_mode": "hard", "target_update_interval": int(amount)}
    return {"target_update_mode": "soft", "target_update_tau": float(amount)}


def _target_update_setting() -> Setting:
    """What their one key for both of our settings can be."""
    text = "Above 1 an interval between copies, else a soft step."
    default = settings()["target_update_interval"].default
    return Setting(TARGET_UPDATE, default, ("int", "float"), text, "", low=0.0)
