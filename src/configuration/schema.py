"""default.yaml as the schema: types from the defaults, the rest from the comments."""

from __future__ import annotations

import functools
import importlib
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

CONFIG = Path(__file__).resolve().parents[1] / "config"
DEFAULTS = CONFIG / "default.yaml"

LINE = re.compile(r"^(?P<key>\w+):.*?(?:\s#\s*(?:\[(?P<tags>[^\]]*)\])?\s*(?P<help>.*))?$")
SECTION = re.compile(r"^# == (?P<title>.*)$")
RANGE = re.compile(r"^(>=(?P<least>[\d.]+)|(?P<low>[\d.]+)\.\.(?P<high>[\d.]+))$")
TYPES: dict[str, tuple[type, ...]] = {
    "int": (int,),
    "float": (float,),
    "str": (str,),
    "bool": (bool,),
    "list": (list,),
    "dict": (dict,),
    "null": (type(None),),
}
REGISTRIES = {
    "envs": "envs",
    "learners": "learners",
    "controllers": "controllers",
    "agents": "modules.agents",
    "mixers": "modules.mixers",
    "critics": "modules.critics",
    "selectors": "components.action_selectors",
    "runners": "runners",
}


@dataclass(frozen=True)
class Setting:
    """One key of default.yaml."""

    key: str
    default: Any
    types: tuple[str, ...]
    help: str
    section: str
    choices: tuple[str, ...] = ()
    registry: str | None = None
    low: float | None = None
    high: float | None = None

    @property
    def nullable(self) -> bool:
        return "null" in self.types

    def names(self) -> list[str]:
        """The values that can be given, where they are names; importing no implementation."""
        if self.registry is None:
            return list(self.choices)
        return sorted(importlib.import_module(REGISTRIES[self.registry]).REGISTRY)

    def kind(self) -> str:
        """How to say what may be given: "float, 0 to 1"."""
        parts = [" or ".join(self.types)]
        if self.low is not None:
            parts.append(
                f"{self.low:.10g} to {self.high:.10g}" if self.high else f"at least {self.low:.10g}"
            )
        if names := self.names():
            parts.append("one of " + ", ".join(names))
        return ", ".join(parts)


@functools.cache
def settings() -> dict[str, Setting]:
    """All settings, in the order of the file."""
    text = DEFAULTS.read_text()
    defaults = yaml.safe_load(text)
    found: dict[str, Setting] = {}
    section = ""
    for line in text.splitlines():
        if title := SECTION.match(line):
            section = title["title"]
        elif (entry := LINE.match(line)) and entry["key"] in defaults:
            key = entry["key"]
            found[key] = _setting(key, defaults[key], entry["tags"], entry["help"] or "", section)
    return found


def _setting(key: str, default: Any, tags: str | None, text: str, section: str) -> Setting:
    types: tuple[str, ...] = (_type_name(default),)
    more: dict[str, Any] = {}
    for tag in (tags or "").split(";"):
        tag = tag.strip()
        name, _, value = tag.partition(":")
        if limits := RANGE.match(tag):
            more["low"] = float(limits["least"] or limits["low"])
            more["high"] = float(limits["high"]) if limits["high"] else None
        elif name == "choices":
            more["choices"] = tuple(choice.strip() for choice in value.split(","))
        elif name == "registry":
            more["registry"] = value.strip()
        elif tag:
            types = tuple(tag.split("|"))
    return Setting(key, default, types, text, section, **more)


def _type_name(value: object) -> str:
    return next(name for name, types in TYPES.items() if type(value) in types)
