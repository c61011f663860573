"""Settings that are typed on a command line: each is set, or refused with what was meant."""

from __future__ import annotations

from collections.abc import Iterable

from configuration.command_line import COMMAND_LINE, Words
from configuration.dialects import ALIASES
from configuration.draft import Draft
from configuration.legacy import legacy
from configuration.schema import settings
from configuration.values import parse_as
from utils.errors import UserError, did_you_mean
from utils.settings import Settings


def update(draft: Draft, key: str, text: str, force: bool) -> None:
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


def refuse_two_names(words: Words) -> None:
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
