"""A configuration in the making: values, where each comes from, and what may be set."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

from configuration.command_line import COMMAND_LINE
from configuration.packaged import Packaged
from configuration.plain import check_plain
from configuration.plugins import load_plugins
from configuration.schema import Setting, settings
from configuration.values import fit, like
from utils.errors import UserError
from utils.settings import Settings


@dataclass
class Draft:
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
        self.config[key] = self._all_plugins(value, origin) if key == "plugins" else value
        self.origins[key] = origin

    def _all_plugins(self, added: str | list[object], origin: str) -> list[str]:
        """Plugins add up: an environment's must load whatever the command line adds."""
        listed = [added] if isinstance(added, str) else added
        texts = [plugin for plugin in listed if isinstance(plugin, str)]
        if len(texts) < len(listed):
            raise UserError(
                f"plugins={added!r} ({origin}) cannot be: plugins is a list of texts, each a "
                "module or the path of a .py file."
            )
        return list(dict.fromkeys([*self.config["plugins"], *texts]))

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


def register_plugins(draft: Draft) -> None:
    """Import them, and warn of a file that only defines classes."""
    for plugin in load_plugins(draft.config["plugins"]):
        draft.warnings.append(
            f"plugins: {plugin} has registered nothing, so nothing of it is used by name. "
            "It needs a line like REGISTRY['my_learner'] = MyLearner (docs/drop-in.md)."
        )
