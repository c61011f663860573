"""YAML files by name or by path, with errors that say where and what."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import yaml

from configuration.schema import CONFIG
from configuration.yaml_reader import MOST_BYTES, explain, parse_yaml
from utils.errors import UserError, did_you_mean
from utils.places import expanded
from utils.settings import Settings


@dataclass(frozen=True)
class YamlFile:
    """One file's settings."""

    path: Path
    values: Settings

    @property
    def label(self) -> str:
        """How messages call it: its name, or its path if it lies outside the tree."""
        return self.path.name if self.path.is_relative_to(CONFIG) else str(self.path)


def find_yaml(kind: str, name: str) -> YamlFile:
    """The file of `--config` (kind "algs") or `--env-config` ("envs"): a name, or a path."""
    option = {"algs": "--config", "envs": "--env-config"}[kind]
    if not name:
        raise UserError(f"{option} needs a name or a path. Known: {', '.join(names(kind))}.")
    built_in = CONFIG / kind / f"{name}.yaml"
    if built_in.is_file():
        return read_yaml(built_in)
    path = expanded(name)
    if path.is_file():
        return read_yaml(path.resolve())
    hint = did_you_mean(name, names(kind))
    raise UserError(
        f"{option}={name}: there is no such file, and no settings of that name.{hint}\n"
        f"Known: {', '.join(names(kind))}. Or give the path of a YAML file."
    )


def names(kind: str) -> list[str]:
    """What `--config` or `--env-config` can be called by name."""
    return sorted(path.stem for path in (CONFIG / kind).glob("*.yaml"))


def read_yaml(path: Path) -> YamlFile:
    text = _read_text(path)
    try:
        values = parse_yaml(text)
    except yaml.YAMLError as error:
        raise UserError(f"{path} is not valid YAML: {explain(error, text)}") from error
    if values is None:
        raise UserError(f"{path} is empty. It needs lines like `lr: 0.001`.")
    if not isinstance(values, dict) or not all(isinstance(key, str) for key in values):
        raise UserError(f"{path} must hold lines of the form `key: value`, as in `lr: 0.001`.")
    if "plugins" in values:
        values["plugins"] = _beside(path, values["plugins"])
    return YamlFile(path, values)


def _read_text(path: Path) -> str:
    """The whole file; what is far too long for settings is not read to its end."""
    try:
        with path.open("rb") as file:
            content = file.read(MOST_BYTES + 1)
        if len(content) > MOST_BYTES:
            raise UserError(
                f"{path} is longer than {MOST_BYTES:,} bytes, which no file of settings is. "
                "Is it another file?"
            )
        return content.decode("utf-8-sig")
    except OSError as error:
        raise UserError(f"{path} cannot be read: {error}") from error
    except UnicodeDecodeError as error:
        line = error.object[: error.start].count(b"\n") + 1
        raise UserError(f"{path} cannot be read: line {line} is not UTF-8 text.") from error


def _beside(path: Path, plugins: object) -> object:
    """Plugin files named relative to the settings file, wherever the command is typed."""
    given = [plugins] if isinstance(plugins, str) else plugins
    if not isinstance(given, list) or not all(isinstance(plugin, str) for plugin in given):
        return plugins  # the schema refuses it
    own = [path.parent / plugin for plugin in given]
    return [
        str(file) if plugin.endswith(".py") and file.is_file() else plugin
        for plugin, file in zip(given, own, strict=True)
    ]
