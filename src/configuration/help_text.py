"""What `--help`, `--list` and `print_config` print; none of them needs torch."""

from __future__ import annotations

import importlib
import textwrap
from collections.abc import Callable

from configuration.commands import WIDTH, command_lines
from configuration.loading import LoadedConfig
from configuration.schema import REGISTRIES, Setting, settings
from configuration.yaml_files import find_yaml, names
from utils.errors import UserError, did_you_mean
from utils.program import MAIN, REPORT, SWEEP

USAGE = f"""\
PyMARL-K: cooperative multi-agent reinforcement learning

  {MAIN} --config=ALG --env-config=ENV with key=value env_args.key=value ...

  ALG, ENV       a name (--list algs, --list envs) or the path of a YAML file
  --list [TOPIC] algs, envs, learners, mixers, agents, controllers, selectors, runners, maps
  --list runs    the runs in results (or in FOLDER ...): status, steps, last and best result
  --version      of PyMARL-K, Python and torch
  with resume=latest | resume=ID     go on with an earlier run, bit for bit
  --trust        run the plugins of a run from elsewhere that is resumed or replayed
  -u, -c TEXT, -l LEVEL, -m DB ...   Sacred's options; -m DB is mongo=DB
  {SWEEP} --help     many runs;   {REPORT} --help   what they say together

Commands: {MAIN} COMMAND ...; COMMAND --help says more

"""


def help_text() -> str:
    """The usage and every setting."""
    lines = [USAGE, "\n".join(command_lines()), "\n"]
    section = ""
    for setting in settings().values():
        if setting.section != section:
            section = setting.section
            lines.append(f"\n{section}\n")
        lines.append(_entry(setting))
    return "".join(lines)


def _entry(setting: Setting) -> str:
    head = f"  {setting.key + '=' + _short(setting.default):<36} "
    text = f"{setting.help} [{setting.kind()}]".strip()
    wrapped = textwrap.wrap(text, WIDTH - len(head))
    return head + ("\n" + " " * len(head)).join(wrapped) + "\n"


def _short(value: object) -> str:
    return "null" if value is None else str(value)


def list_text(topic: str | None = None) -> str:
    """The names that a setting or an option can take."""
    topics: dict[str, Callable[[], list[str]]] = {
        "algs": lambda: names("algs"),
        "envs": lambda: names("envs"),
        **{kind: _registry_lister(kind) for kind in REGISTRIES if kind != "envs"},
        "maps": _maps,
    }
    if topic is not None and topic not in topics:
        hint = did_you_mean(topic, topics)
        there = ", ".join([*topics, "runs"])
        raise UserError(f"--list {topic}: no such list.{hint} There are: {there}.")
    if topic == "algs":
        return "".join(f"  {name:<21} {what_it_is(name)}\n" for name in topics["algs"]())
    chosen = topics if topic is None else {topic: topics[topic]}
    lines = []
    for name, entries in chosen.items():
        listed = ", ".join(entries()) or "none; no environment here has maps"
        lines.append(textwrap.fill(listed, WIDTH, initial_indent=f"{name + ':':<13}",
                                   subsequent_indent=" " * 13))  # fmt: skip
    return "\n".join(lines) + "\n"


def what_it_is(name: str) -> str:
    """What the first line of an algorithm's file says, in up to six words."""
    first, *_ = find_yaml("algs", name).path.read_text().splitlines()
    return first.removeprefix("#").strip() if first.startswith("#") else ""


def _registry_lister(kind: str) -> Callable[[], list[str]]:
    return lambda: sorted(importlib.import_module(REGISTRIES[kind]).REGISTRY)


def _maps() -> list[str]:
    """Environments whose YAML has a `map_name` say which maps there are in `maps`."""
    found = []
    for name in names("envs"):
        values = find_yaml("envs", name).values
        found += [f"{name}/{map_name}" for map_name in values.get("maps", [])]
    return found


def config_text(loaded: LoadedConfig) -> str:
    """Every setting of a run; those that differ from the default are marked."""
    changed = {key for key, _, _ in loaded.changed}
    lines = [loaded.dialect]
    for key, value in loaded.config.items():
        lines.append(_config_line(key, value, key in changed, loaded.origins.get(key, "")))
        if key == "env_args":
            for name, argument in value.items():
                origin = loaded.origins.get(f"env_args.{name}", "")
                lines.append(_config_line(f"  .{name}", argument, False, origin))
    lines += [f"Warning: {warning}" for warning in loaded.warnings]
    return "\n".join(lines) + "\n"


def _config_line(key: str, value: object, marked: bool, origin: str) -> str:
    shown = "" if key == "env_args" else f"= {value!r}"
    text = f"{'*' if marked else ' '} {key:<28} {shown:<30}"
    return (text + ("" if origin == "default" else f"  {origin}")).rstrip()
