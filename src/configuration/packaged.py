"""What the settings file that comes with an environment says, whichever file a run is given."""

from __future__ import annotations

import functools
import re
from dataclasses import dataclass, field

from configuration.schema import CONFIG, Setting
from configuration.yaml_files import read_yaml
from utils.settings import Settings

ARGUMENT = re.compile(r"^  (?P<key>\w+):.*\s#\s*\[(?P<types>[\w|]+)\]\s*(?P<help>.*)$")
SAME_FILE = {"sc2wrapped": "sc2v2"}  # names of one environment


@dataclass(frozen=True)
class Packaged:
    """One environment's file; empty for environments of others."""

    label: str = ""
    values: Settings = field(default_factory=dict)
    declared: dict[str, Setting] = field(default_factory=dict)  # arguments with a [type] comment

    @property
    def env_args(self) -> Settings:
        return self.values.get("env_args") or {}


@functools.cache
def packaged(env: str) -> Packaged:
    """The file of the environment `env`."""
    path = CONFIG / "envs" / f"{SAME_FILE.get(env, env)}.yaml"
    if not path.is_file():
        return Packaged()
    file = read_yaml(path)
    env_args = file.values.get("env_args") or {}
    found = [ARGUMENT.match(line) for line in path.read_text().splitlines()]
    declared = {
        entry["key"]: Setting(
            f"env_args.{entry['key']}",
            env_args[entry["key"]],
            tuple(entry["types"].split("|")),
            entry["help"],
            "",
        )
        for entry in found
        if entry and entry["key"] in env_args
    }
    return Packaged(file.label, file.values, declared)
