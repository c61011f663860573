"""Merging the settings files and the command line into one checked configuration."""

from __future__ import annotations

import functools
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import Any

import yaml

from utils.config.command_line import COMMAND_LINE, EXAMPLE, Words, sort_words
from utils.config.dialects import ALIASES, names_for_plugins, plugin_names, recognise, translate
from utils.config.fit import check_fit, follow
from utils.config.mongo import VARIABLE, from_environment, masked, parse_address, usable
from utils.config.packaged import Packaged, packaged
from utils.config.plain import check_folder_name, check_plain
from utils.config.plugins import load_plugins
from utils.config.schema import CONFIG, Setting, settings
from utils.config.unused import warnings_of_unused
from utils.config.values import check_name, fit, like, parse_as
from utils.config.yaml_files import YamlFile, find_yaml, names
from utils.errors import UserError, did_you_mean
from utils.settings import Change, Settings

TIME_LIMITS = ("env_start_timeout", "env_step_timeout")  # that go with what an environment does


@dataclass(frozen=True)
class LoadedConfig:
    """All settings of a run, and where they come from."""

    config: Settings
    origins: dict[str, str]  # key, or "env_args.key" -> "default", a file, "command line"
    warnings: list[str]
    dialect: str  # one line
    command: str | None
    sacred_options: dict[str, str | bool]  # by their long names
    env_defaults: Settings  # arguments as the environment's own YAML sets them
    mongo: str | None = field(default=None, repr=False)  # with its password, which config lacks

    @property
    def changed(self) -> list[Change]:
        """(key, value, origin) of what differs from the defaults; the run's title says the rest."""
        found = []
        for key, origin in self.origins.items():
            outer, _, inner = key.partition(".")
            value = self.config[outer][inner] if inner else self.config[outer]
            said = key in ("name", "env", "env_args", "seed", "resume", "local_results_path")
            default = settings()[key].default if key in settings() else self.env_defaults.get(inner)
            if not said and origin != "default" and value != default:
                found.append((key, value, origin))
        return found


@dataclass
class _Draft:
    """A configuration in the making."""

    config: Settings = field(default_factory=dict)
    origins: dict[str, str] = field(default_factory=dict)
    warnings: list[str] = field(default_factory=list)
    env_defaults: Settings = field(default_factory=dict)  # of the environment's YAML
    packaged: Packaged = field(default_factory=Packaged)
    own_file: str | None = None  # the algorithm's, where that is none of ours
    theirs: Settings = field(default_factory=dict)  # the algorithm's file as it stands
    dialect: str = "pymarl"

    def set(self, key: str, value: Any, origin: str) -> None:
        """One top-level value, checked against the schema if that knows the key."""
        check_plain(key, value, origin)
        setting = settings().get(key)
        if setting is not None:
            value, repaired = fit(setting, value, origin)
            if repaired and origin != COMMAND_LINE:
                self.warnings.append(f"{origin}: {key} was read as text; taken as {value!r}.")
        self.config[key] = self._all_plugins(value) if key == "plugins" else value
        self.origins[key] = origin

    def _all_plugins(self, added: str | list[str]) -> list[str]:
        """Plugins add up: an environment's must load whatever the command line adds."""
        both = [*self.config["plugins"], *([added] if isinstance(added, str) else added)]
        return list(dict.fromkeys(both))

    def set_env_arg(self, key: str, value: object, origin: str) -> None:
        check_plain(key, value, origin, within="env_args.")
        if key == "seed":
            value, _ = fit(replace(settings()["seed"], key="env_args.seed"), value, origin)
        setting = self.argument(key)
        if setting is not None and value is not None:
            value, _ = fit(setting, value, origin)
        self.config["env_args"][key] = value
        self.origins[f"env_args.{key}"] = origin

    def argument(self, key: str) -> Setting | None:
        """What an environment's argument may be; None if anything."""
        declared = self.packaged.declared.get(key)
        return declared or like(self.env_defaults.get(key), f"env_args.{key}")

    def setting(self, key: str) -> Setting | None:
        """What `key` on a command line may be; None if anything."""
        outer, dot, inner = key.partition(".")
        return self.argument(inner) if outer == "env_args" and dot else settings().get(key)


def default_config() -> Settings:
    """default.yaml alone."""
    return {key: _copied(setting.default) for key, setting in settings().items()}


def load_config(argv: list[str], base: Settings | None = None) -> LoadedConfig:
    """The configuration of a command line; of an earlier run's `base` instead of the files."""
    words = sort_words(argv)
    draft = _Draft(default_config(), dict.fromkeys(settings(), "default"))
    if base is None:
        dialect = _merge_files(draft, words)
    else:
        draft.config.update({key: _copied(value) for key, value in base.items()})
        draft.env_defaults = dict(draft.config["env_args"])
        draft.packaged = packaged(draft.config["env"])
        dialect = "settings of the earlier run"
    _refuse_two_names(words)
    for key, text in words.updates:
        _update(draft, key, text, words.force)
    _load_plugins(draft)
    if draft.config["plugins"]:
        draft.config.update(names_for_plugins(draft.theirs, draft.config, draft.dialect))
    if own := plugin_names(draft.config):
        dialect += "; from plugins: " + ", ".join(f"{key} {name}" for key, name in own.items())
    for key, setting in settings().items():
        check_name(setting, draft.config[key], draft.origins[key])
    follow(draft.config, draft.origins)
    check_together(draft.config)
    check_fit(draft.config)
    draft.warnings += warnings_of_unused(draft.config, draft.origins, draft.own_file)
    mongo = _settle_mongo(draft)
    return LoadedConfig(
        draft.config,
        draft.origins,
        draft.warnings,
        dialect,
        words.command,
        words.options,
        draft.env_defaults,
        mongo,
    )


def load_env_config(argv: list[str]) -> Settings:
    """The settings of a command line that names no algorithm: the environment's and its own."""
    words = sort_words(argv)
    draft = _Draft(default_config(), dict.fromkeys(settings(), "default"))
    _merge_env(draft, find_environment(words.files.get("--env-config", "")))
    for key, text in words.updates:
        _update(draft, key, text, words.force)
    load_plugins(draft.config["plugins"])
    check_name(settings()["env"], draft.config["env"], draft.origins["env"])
    return draft.config


def _merge_files(draft: _Draft, words: Words) -> str:
    """default < environment < algorithm, as PyMARL merges; returns the line on the dialect."""
    for option, kind, what in (
        ("--config", "algs", "algorithm"),
        ("--env-config", "envs", "environment"),
    ):
        if option not in words.files:
            raise UserError(
                f"Say which {what}: {option}=NAME, or a path. Known: {', '.join(names(kind))}.\n"
                f"Example: {EXAMPLE}\n--help shows all settings."
            )
    algorithm = find_yaml("algs", words.files["--config"])
    environment = find_environment(words.files["--env-config"])
    given = dict(words.updates).get("dialect") or algorithm.values.get("dialect")
    dialect = given or recognise(algorithm.values)
    draft.theirs, draft.dialect = algorithm.values, dialect
    _load_plugins_of(draft, environment, algorithm, words)
    # A learner switched on the command line is the same as one switched in the file.
    switched = {key: text for key, text in words.updates if key == "learner"}
    ours, notes = translate({**algorithm.values, **switched}, dialect)
    _merge_env(draft, environment)
    _merge(draft, YamlFile(algorithm.path, ours))
    draft.own_file = None if algorithm.path.parent == CONFIG / "algs" else algorithm.label
    if draft.origins["name"] == "default":
        draft.set("name", algorithm.path.stem, algorithm.label)
    _warn_of_unknown(draft, algorithm.label, ours)
    _warn_of_unknown(draft, environment.label, environment.values)
    return f"{dialect} settings" + (f" ({'; '.join(notes)})" if notes else "")


def _load_plugins_of(
    draft: _Draft, environment: YamlFile, algorithm: YamlFile, words: Words
) -> None:
    """First of all, because their names are not translated."""
    for file in (environment, algorithm):
        if "plugins" in file.values:
            draft.set("plugins", file.values["plugins"], file.label)
    for key, text in words.updates:
        if key == "plugins":
            _update(draft, key, text, words.force)
    _load_plugins(draft)


def _load_plugins(draft: _Draft) -> None:
    """Import them, and warn of a file that only defines classes."""
    for plugin in load_plugins(draft.config["plugins"]):
        draft.warnings.append(
            f"plugins: {plugin} has registered nothing, so nothing of it is used by name. "
            "It needs a line like REGISTRY['my_learner'] = MyLearner (docs/drop-in.md)."
        )


def find_environment(name: str) -> YamlFile:
    """An environment's file, without the list of its maps, which is no setting."""
    file = find_yaml("envs", name)
    return YamlFile(file.path, {key: v for key, v in file.values.items() if key != "maps"})


def _merge_env(draft: _Draft, file: YamlFile) -> None:
    env_args = file.values.get("env_args")
    draft.packaged = packaged(str(file.values.get("env")))
    own = draft.packaged
    draft.env_defaults = {**own.env_args, **(env_args if isinstance(env_args, dict) else {})}
    for key in TIME_LIMITS:
        if key in own.values:
            draft.set(key, own.values[key], own.label)
    _merge(draft, file)


def _merge(draft: _Draft, file: YamlFile) -> None:
    for key, value in file.values.items():
        if key != "env_args":
            draft.set(key, value, file.label)
            continue
        if value is not None and not isinstance(value, dict):
            raise UserError(f"env_args in {file.label} is {value!r}; it must hold `key: value`.")
        for name, argument in (value or {}).items():
            draft.set_env_arg(name, argument, file.label)


def _update(draft: _Draft, key: str, text: str, force: bool) -> None:
    """One `key=value` or `env_args.key=value`; an unknown key is refused."""
    key = ALIASES.get(key, key)
    value = parse_as(draft.setting(key), text)
    outer, dot, inner = key.partition(".")
    if outer == "env_args" and dot:
        known: Iterable[str] = {*draft.config["env_args"], *draft.packaged.env_args, "seed"}
        if inner.partition(".")[0] not in known and not force:
            raise UserError(
                f"Unknown setting 'env_args.{inner}' (command line).{did_you_mean(inner, known)}\n"
                f"env={draft.config['env']} has: {', '.join(sorted(known))}."
            )
        name, *path = inner.split(".")
        if path:  # into a dictionary, as in env_args.capability_config.n_units=10
            value = _with_entry(draft.config["env_args"].get(name), path, value)
        draft.set_env_arg(name, value, COMMAND_LINE)
    elif key == "env_args" or (dot and outer in draft.config):
        raise UserError(
            f"{key}={text!r} (command line) cannot be. Set one argument at a time, as in "
            "env_args.seed=3"
        )
    elif key not in draft.config and not force:
        raise UserError(_unknown(key, draft.config))
    else:
        draft.set(key, value, COMMAND_LINE)


def _refuse_two_names(words: Words) -> None:
    """`K=3 k_level=2`: one of them would be lost."""
    typed = dict(words.updates)
    for alias, key in ALIASES.items():
        if alias in typed and typed.get(key, typed[alias]) != typed[alias]:
            raise UserError(
                f"{alias}={typed[alias]} and {key}={typed[key]} are one setting. Type one of them."
            )


def _with_entry(values: Settings | None, path: list[str], value: object) -> Settings:
    """A copy of the dictionary `values` in which the entry at `path` is `value`."""
    entries = dict(values or {})
    name, *rest = path
    entries[name] = _with_entry(entries.get(name), rest, value) if rest else value
    return entries


def _unknown(key: str, known: Iterable[str]) -> str:
    became = legacy().get(key)
    if became:
        return f"Setting '{key}' (command line) is {became}. Leave it out."
    hint = did_you_mean(key, known)
    text = f"Unknown setting '{key}' (command line).{hint}"
    match = next((name for name in settings() if hint.endswith(f"'{name}'?")), None)
    if match is not None:
        setting = settings()[match]
        text += f"\n{match}: {setting.kind()}; default {setting.default!r}. {setting.help}"
    return text + "\n--help shows all settings; --force lets an unknown one through."


def _settle_mongo(draft: _Draft) -> str | None:
    """The database's address; the configuration keeps it without the password."""
    given = draft.config["mongo"]
    if given is None and draft.origins["mongo"] == "default" and (given := from_environment()):
        draft.origins["mongo"] = f"environment variable {VARIABLE}"
    elif given is not None and usable(given) is None:  # saved with an earlier run
        given = from_environment()
        if given is None:
            draft.warnings.append(
                f"{draft.config['mongo']} was saved without its password, so nothing goes to "
                f"MongoDB. Set {VARIABLE}, or type mongo=ADDRESS again."
            )
    if given is not None:
        parse_address(given)
        draft.config["mongo"] = masked(given)
    return given


def _warn_of_unknown(draft: _Draft, label: str, values: Settings) -> None:
    """One warning for all keys of a file that nothing here reads; plugins may read them."""
    unknown = [key for key in values if key not in settings()]
    if not unknown:
        return
    by_fate: dict[str, list[str]] = {}
    for key in unknown:
        match = did_you_mean(key, settings()).strip()
        fate = legacy().get(key) or (f"unknown ({match})" if match else "unknown; kept for plugins")
        by_fate.setdefault(fate, []).append(key)
    listed = "; ".join(f"{', '.join(keys)}: {fate}" for fate, keys in by_fate.items())
    draft.warnings.append(f"{label} has keys that are not used here. {listed}.")


@functools.cache
def legacy() -> dict[str, str]:
    """Keys of PyMARL and its relatives -> what became of them."""
    groups = yaml.safe_load((CONFIG / "legacy.yaml").read_text())
    return {key: fate for fate, keys in groups.items() for key in keys}


def check_together(config: Settings) -> None:
    """What no value shows alone."""
    check_folder_name(config["name"])
    for key in ("evaluate", "save_replay"):
        if config[key] and not config["checkpoint_path"]:
            raise UserError(
                f"{key}=True needs networks: add checkpoint_path=results/models/<unique_token>."
            )


def _copied(value: object) -> object:
    return (
        dict(value)
        if isinstance(value, dict)
        else list(value)
        if isinstance(value, list)
        else value
    )
