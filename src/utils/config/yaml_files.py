"""YAML files by name or by path, with errors that say where and what."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from utils.config.schema import CONFIG
from utils.errors import UserError, did_you_mean
from utils.places import expanded


@dataclass(frozen=True)
class YamlFile:
    """One file's settings."""

    path: Path
    values: dict[str, Any]

    @property
    def label(self) -> str:
        """How messages call it: its name, or its path if it lies outside the tree."""
        return self.path.name if self.path.is_relative_to(CONFIG) else str(self.path)


class _Loader(yaml.SafeLoader):
    """Refuses a key with two values: YAML would silently take the last."""

    def construct_mapping(self, node: Any, deep: bool = False) -> dict[Any, Any]:
        seen: dict[Any, Any] = {}
        for key_node, value_node in node.value:
            key = self.construct_object(key_node, deep=True)
            value = self.construct_object(value_node, deep=True)
            if key in seen and seen[key] != value:
                problem = f"'{key}' is {seen[key]!r} and then {value!r}"
                raise yaml.constructor.ConstructorError(
                    problem=problem, problem_mark=key_node.start_mark
                )
            seen[key] = value
        return super().construct_mapping(node, deep)


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
    try:
        text = path.read_text()
        values = yaml.load(text, Loader=_Loader)
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"{path} cannot be read: {error}") from error
    except yaml.YAMLError as error:
        raise UserError(f"{path} is not valid YAML: {_explain(error, text)}") from error
    if values is None:
        raise UserError(f"{path} is empty. It needs lines like `lr: 0.001`.")
    if not isinstance(values, dict) or not all(isinstance(key, str) for key in values):
        raise UserError(f"{path} must hold lines of the form `key: value`, as in `lr: 0.001`.")
    if "plugins" in values:
        values["plugins"] = _beside(path, values["plugins"])
    return YamlFile(path, values)


def _beside(path: Path, plugins: Any) -> Any:
    """Plugin files named relative to the settings file, wherever the command is typed."""
    given = [plugins] if isinstance(plugins, str) else plugins
    if not isinstance(given, list) or not all(isinstance(plugin, str) for plugin in given):
        return plugins  # the schema refuses it
    own = [path.parent / plugin for plugin in given]
    return [
        str(file) if plugin.endswith(".py") and file.is_file() else plugin
        for plugin, file in zip(given, own, strict=True)
    ]


def _explain(error: yaml.YAMLError, text: str) -> str:
    mark = getattr(error, "problem_mark", None)
    problem = getattr(error, "problem", None) or str(error).splitlines()[0]
    if "\t" in text and "\\t" in problem:
        problem = "a tab stands where spaces must"
    if mark is None:
        return f"{problem}."
    line = text.splitlines()[mark.line] if mark.line < len(text.splitlines()) else ""
    return f"{problem}, line {mark.line + 1}: {line.strip()!r}."
