"""Loading the settings files and the command line as one checked configuration."""

from __future__ import annotations

from dataclasses import dataclass, field

from configuration.command_line import sort_words
from configuration.dialects import names_for_plugins, plugin_names
from configuration.draft import Draft, register_plugins
from configuration.fit import check_fit, follow
from configuration.merging import find_environment, merge_env, merge_files
from configuration.mongo import VARIABLE, from_environment, masked, parse_address, usable
from configuration.packaged import packaged
from configuration.plain import check_folder_name
from configuration.plugins import load_plugins
from configuration.schema import settings
from configuration.typed import refuse_two_names, update
from configuration.unused import warnings_of_unused
from configuration.values import check_name
from utils.errors import UserError
from utils.settings import Change, Settings


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


def default_config() -> Settings:
    """default.yaml alone."""
    return {key: _copied(setting.default) for key, setting in settings().items()}


def load_config(argv: list[str], base: Settings | None = None) -> LoadedConfig:
    """The configuration of a command line; of an earlier run's `base` instead of the files."""
    words = sort_words(argv)
    draft = Draft(default_config(), dict.fromkeys(settings(), "default"))
    if base is None:
        dialect = merge_files(draft, words)
    else:
        draft.config.update({key: _copied(value) for key, value in base.items()})
        draft.env_defaults = dict(draft.config["env_args"])
        draft.packaged = packaged(draft.config["env"])
        dialect = "settings of the earlier run"
    refuse_two_names(words)
    for key, text in words.updates:
        update(draft, key, text, words.force)
    register_plugins(draft)
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
    draft = Draft(default_config(), dict.fromkeys(settings(), "default"))
    merge_env(draft, find_environment(words.files.get("--env-config", "")))
    for key, text in words.updates:
        update(draft, key, text, words.force)
    load_plugins(draft.config["plugins"])
    check_name(settings()["env"], draft.config["env"], draft.origins["env"])
    return draft.config


def _settle_mongo(draft: Draft) -> str | None:
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
