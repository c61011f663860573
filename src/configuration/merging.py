"""Merging the files of an environment and of an algorithm into a draft."""

from __future__ import annotations

import inspect
from pathlib import Path

from configuration.command_line import EXAMPLE, Words
from configuration.dialects import check_values, recognise, translate
from configuration.draft import Draft, register_plugins
from configuration.legacy import legacy
from configuration.packaged import packaged
from configuration.plugins import registered, registry_of
from configuration.schema import CONFIG, settings
from configuration.typed import update
from configuration.yaml_files import YamlFile, find_yaml, names
from utils.errors import UserError, did_you_mean
from utils.settings import Settings

TIME_LIMITS = ("env_start_timeout", "env_step_timeout")  # that go with what an environment does


def merge_files(draft: Draft, words: Words) -> str:
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
    check_values(algorithm.values, algorithm.label)
    given = dict(words.updates).get("dialect") or algorithm.values.get("dialect")
    dialect = given or recognise(algorithm.values)
    draft.theirs, draft.dialect = algorithm.values, dialect
    _load_plugins_of(draft, environment, algorithm, words)
    # A learner switched on the command line is the same as one switched in the file.
    switched = {key: text for key, text in words.updates if key == "learner"}
    ours, notes = translate({**algorithm.values, **switched}, dialect)
    merge_env(draft, environment)
    _merge(draft, YamlFile(algorithm.path, ours))
    draft.own_file = None if algorithm.path.parent == CONFIG / "algs" else algorithm.label
    if draft.origins["name"] == "default":
        draft.set("name", algorithm.path.stem, algorithm.label)
    _warn_of_unknown(draft, algorithm.label, ours)
    _warn_of_unknown(draft, environment.label, environment.values)
    return f"{dialect} settings" + (f" ({'; '.join(notes)})" if notes else "")


def _load_plugins_of(
    draft: Draft, environment: YamlFile, algorithm: YamlFile, words: Words
) -> None:
    """First of all, because their names are not translated."""
    for file in (environment, algorithm):
        if "plugins" in file.values:
            draft.set("plugins", file.values["plugins"], file.label)
    for key, text in words.updates:
        if key == "plugins":
            update(draft, key, text, words.force)
    register_plugins(draft)


def find_environment(name: str) -> YamlFile:
    """An environment's file, without the list of its maps, which is no setting.

    One that a program has registered needs none: its arguments are those of its constructor.
    """
    if registered("env", name) and name not in names("envs"):
        return YamlFile(Path(f"env={name}"), {"env": name, "env_args": defaults_of(name)})
    file = find_yaml("envs", name)
    return YamlFile(file.path, {key: v for key, v in file.values.items() if key != "maps"})


def defaults_of(name: str) -> Settings:
    """What an environment's constructor takes, but for the seed; null where it has no default."""
    parameters = inspect.signature(registry_of("envs")[name]).parameters.values()
    named = [
        each for each in parameters if each.kind in (each.POSITIONAL_OR_KEYWORD, each.KEYWORD_ONLY)
    ]
    return {
        each.name: None if each.default is each.empty else each.default
        for each in named
        if each.name != "seed"
    }


def merge_env(draft: Draft, file: YamlFile) -> None:
    env_args = file.values.get("env_args")
    draft.packaged = packaged(str(file.values.get("env")))
    own = draft.packaged
    draft.env_defaults = {**own.env_args, **(env_args if isinstance(env_args, dict) else {})}
    for key in TIME_LIMITS:
        if key in own.values:
            draft.set(key, own.values[key], own.label)
    _merge(draft, file)


def _merge(draft: Draft, file: YamlFile) -> None:
    for key, value in file.values.items():
        if key != "env_args":
            draft.set(key, value, file.label)
            continue
        if value is not None and not isinstance(value, dict):
            raise UserError(f"env_args in {file.label} is {value!r}; it must hold `key: value`.")
        for name, argument in (value or {}).items():
            draft.set_env_arg(name, argument, file.label)


def _warn_of_unknown(draft: Draft, label: str, values: Settings) -> None:
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
