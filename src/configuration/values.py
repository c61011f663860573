"""Checking one value against its setting, and repairing what YAML 1.1 misreads."""

from __future__ import annotations

import ast
import math

import yaml

from configuration.plain import flaw
from configuration.schema import TYPES, Setting
from configuration.yaml_reader import parse_yaml
from utils.errors import UserError, did_you_mean

NULLS = ("None", "null", "~", "none")


def parse_word(text: str) -> object:
    """The value of `key=text` on a command line: Python's literals, then YAML's, then a string."""
    for parse in (_python, parse_yaml):
        try:
            return parse(text)
        except (ValueError, SyntaxError, yaml.YAMLError, TypeError, MemoryError, RecursionError):
            continue
    return text


def _python(text: str) -> object:
    """The value of a literal; those that no setting has (sets, bytes) are left to be text."""
    value = ast.literal_eval(text)
    if isinstance(value, set | bytes | complex) or value is ...:
        raise ValueError(text)
    return list(value) if isinstance(value, tuple) else value


def parse_as(setting: Setting | None, text: str) -> object:
    """The same; but a number that is typed where text belongs stays as it was typed: as versions
    4.10 and 4.1 differ."""
    value = parse_word(text)
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    wants_text = setting is not None and set(setting.types) <= {"str", "null"}
    return text if is_number and wants_text else value


def fit(setting: Setting, value: object, where: str) -> tuple[object, bool]:
    """`value` as the setting wants it, and whether that took a repair; else an error."""
    if value is False and "off" in setting.choices:
        value = "off"  # which YAML 1.1 reads as False
    fitted, repaired = _convert(setting.types, value)
    if not _has_type(fitted, setting.types) or (isinstance(fitted, int) and flaw(fitted)):
        raise _refusal(setting, value, where)
    if isinstance(fitted, int | float) and not isinstance(fitted, bool):
        low, high = setting.low, setting.high
        too_low = low is not None and fitted < low
        if not math.isfinite(fitted) or too_low or (high is not None and fitted > high):
            raise _refusal(setting, value, where)
    if setting.choices and fitted is not None and str(fitted) not in setting.choices:
        raise _refusal(setting, value, where)
    return fitted, repaired


def check_name(setting: Setting, value: object, where: str) -> None:
    """Whether a registry knows `value`; after plugins had their say."""
    if setting.registry and value is not None and value not in setting.names():
        raise _refusal(setting, value, where)


def like(default: object, key: str) -> Setting | None:
    """An environment's argument: of the type that its YAML gives it; null takes anything."""
    return None if default is None else Setting(key, default, (type(default).__name__,), "", "")


def _convert(types: tuple[str, ...], value: object) -> tuple[object, bool]:
    """The value, brought to one of `types` where nothing is lost by it."""
    if isinstance(value, str) and value in NULLS and "null" in types:
        return None, True
    if isinstance(value, str) and "str" not in types and ("float" in types or "int" in types):
        number = _number(value)  # YAML reads 1e-3 as a string: it wants 1.0e-3
        if number is not None:
            return _convert(types, number)[0], True
    if isinstance(value, int) and not isinstance(value, bool) and "int" not in types:
        if "float" in types:
            return float(value), False
        if "str" in types:
            return str(value), False
    if isinstance(value, float):
        if "float" not in types and "int" in types and value.is_integer():
            return int(value), False
        if types == ("str",):
            return str(value), False
    return value, False


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None


def _has_type(value: object, types: tuple[str, ...]) -> bool:
    return any(type(value) in TYPES.get(name, ()) for name in types)


def _refusal(setting: Setting, value: object, where: str) -> UserError:
    hint = did_you_mean(str(value), setting.names())
    text = f" {setting.help}" if setting.help else ""
    return UserError(
        f"{setting.key}={value!r} ({where}) cannot be.{hint}\n"
        f"{setting.key}: {setting.kind()}; default {setting.default!r}.{text}"
    )
