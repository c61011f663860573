"""What a sweep is asked to do: a command line, a YAML file, or both."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from configuration.yaml_files import read_yaml
from utils.errors import UserError, did_you_mean
from utils.program import SWEEP

EXAMPLE = f"{SWEEP} --config=qmix,vdn --env-config=two_step,grid with seed=1..4"
RANGE = re.compile(r"(-?\d{1,18})\.\.(-?\d{1,18})")
# Each run has a folder, a line in the table and its settings in the manifest, which is written
# anew whenever a run ends.
MOST_RUNS = 10_000
SIZE = re.compile(r"(?P<number>\d+(\.\d+)?)\s*(?P<unit>[kMGT]?)B?")
BYTES = {"": 1, "k": 10**3, "M": 10**6, "G": 10**9, "T": 10**12}
OPENING, CLOSING, QUOTES = "[({", "])}", "'\""


@dataclass(frozen=True)
class Order:
    """Axes in the order they were given, and how the runs are to be played."""

    axes: dict[str, list[str]] = field(default_factory=dict)  # "config", "env-config", keys
    name: str = ""  # of the sweep's folder; empty is made of the axes
    address: str = ""  # of a Ray cluster; empty is this machine
    cpus: float = 1.0  # of each run
    gpus: float = 0.0
    memory: int | None = None  # bytes; 0 is not reckoned with, None is estimated
    retries: int = 2
    dry_run: bool = False


FILES = ("config", "env-config")
Options = dict[str, Any]  # fields of an Order
OPTIONS: dict[str, Callable[[str], Any]] = {
    "name": lambda text: folder_name(text),
    "address": str,
    "cpus": lambda text: share(text),
    "gpus": lambda text: share(text),
    "memory": lambda text: size(text),
    "retries": int,
}


def read_order(argv: list[str]) -> Order:
    """The file's order, changed by the words of the command line."""
    axes: dict[str, list[str]] = {}
    options: Options = {}
    rest, file = list(argv), None
    while rest:
        word = rest.pop(0)
        name, equals, value = word.partition("=")
        if word == "--dry-run":
            options["dry_run"] = True
        elif name == "--dry-run":
            raise UserError("--dry-run takes no value.")
        elif word.startswith("-"):
            _take_option(axes, options, name, value if equals else _value_of(name, rest))
        elif equals:
            _once(axes, name, values(value))
        elif word != "with" and file is None:
            file = word
        elif word != "with":
            raise UserError(f"'{word}' is not of the form key=value. Example: {EXAMPLE}")
    base = read_file(Path(file)) if file else Order()
    return replace(base, **{**options, "axes": {**base.axes, **axes}})


def _take_option(axes: dict[str, list[str]], options: Options, name: str, value: str) -> None:
    key = name.removeprefix("--")
    if key in FILES:
        _once(axes, key, values(value))
    elif key in OPTIONS and name.startswith("--"):
        options[key] = _fitted(key, value)
    else:
        known = [f"--{option}" for option in (*FILES, *OPTIONS, "dry-run", "help")]
        raise UserError(
            f"Unknown option {name}.{did_you_mean(name, known)} Known: {', '.join(known)}.\n"
            "Settings of the runs stand after `with`."
        )


def _once(axes: dict[str, list[str]], key: str, wanted: list[str]) -> None:
    if key in axes:
        raise UserError(f"{key} is given twice. Separate its values by commas: {key}=A,B")
    axes[key] = wanted


def _value_of(name: str, rest: list[str]) -> str:
    if not rest or rest[0].startswith("-") or rest[0] == "with":
        raise UserError(f"{name} needs a value, as in {EXAMPLE}")
    return rest.pop(0)


def _fitted(key: str, value: object) -> Any:
    try:
        fitted = OPTIONS[key](str(value))
    except ValueError as error:
        raise UserError(
            f"--{key}={value} cannot be. Examples: --cpus=2 --gpus=0.25 --memory=2GB --retries=2"
        ) from error
    if key in ("gpus", "retries") and fitted < 0:
        raise UserError(f"--{key}={value} cannot be: it must be at least 0.")
    if key == "cpus" and fitted <= 0:
        raise UserError(f"--cpus={value} cannot be: it bounds how many runs are played at once.")
    if key == "gpus" and fitted > 1 and not fitted.is_integer():
        raise UserError(f"--gpus={value} cannot be: a share of one GPU, or whole GPUs.")
    return fitted


def folder_name(text: str) -> str:
    if Path(text).name != text or text == "..":
        raise UserError(f"--name={text} cannot be: it is a folder in results/sweeps, not a path.")
    return text


def share(text: str) -> float:
    """Of a resource; Ray counts them to four places."""
    number = float(text)
    if not math.isfinite(number) or round(number, 4) != number:
        raise ValueError(text)
    return number


def size(text: str) -> int:
    """ "2GB", "500M" -> bytes."""
    match = SIZE.fullmatch(text)
    if match is None:
        raise ValueError(text)
    number = float(match["number"]) * BYTES[match["unit"]]
    if not math.isfinite(number):
        raise ValueError(text)
    return int(number)


def read_file(path: Path) -> Order:
    """A sweep's YAML: the same names as on the command line, `with` holding the settings."""
    if not path.is_file():
        raise UserError(f"There is no sweep file {path}. Example: {EXAMPLE}")
    content = read_yaml(path).values
    known = (*FILES, "with", *OPTIONS)
    for key in content:
        if key not in known:
            raise UserError(
                f"{path} has '{key}', which no sweep knows.{did_you_mean(key, known)} Known: "
                f"{', '.join(known)}. Settings of the runs stand below `with:`."
            )
    settings = content.get("with") or {}
    if not isinstance(settings, dict):
        raise UserError(f"`with` in {path} must hold lines of the form `key: value`.")
    axes = {key: listed(content[key]) for key in FILES if key in content}
    axes |= {str(key): listed(value) for key, value in settings.items()}
    options = {key: _fitted(key, content[key]) for key in OPTIONS if key in content}
    return Order(**{"name": path.stem, **options}, axes=axes)


def listed(value: object) -> list[str]:
    """The values of an axis in a YAML file: a list of them, or text as on a command line."""
    if isinstance(value, list):
        return list(_expanded(item if isinstance(item, str) else repr(item) for item in value))
    return values(value) if isinstance(value, str) else [repr(value)]


def values(text: str) -> list[str]:
    """ "0.1,0.2" -> two values, "1..3" -> three; commas in brackets or quotes separate nothing."""
    parts, depth, quote = [""], 0, ""
    for character in text:
        if quote or character in QUOTES:
            quote = "" if character == quote else quote or character
        depth += (character in OPENING) - (character in CLOSING) if not quote else 0
        if character == "," and not depth and not quote:
            parts.append("")
        else:
            parts[-1] += character
    if len(parts) > 1 and "" in parts:
        raise UserError(f"'{text}' has an empty value between its commas.")
    return list(_expanded(parts))


def check_count(runs: int, of: str) -> None:
    """Refuse what no sweep can be, before it is laid out."""
    if runs > MOST_RUNS:
        raise UserError(
            f"{of} makes {runs:,} runs; one sweep plays at most {MOST_RUNS:,}. Make several of it, "
            "one after the other, each with a name: --name=first ... seed=1..1000"
        )


def _expanded(parts: Iterable[str]) -> Iterable[str]:
    for part in parts:
        match = RANGE.fullmatch(part)
        if match is None:
            yield part
            continue
        first, last = int(match[1]), int(match[2])
        if last < first:
            raise UserError(f"{part} holds no number: ranges go upwards, as in 1..4 (1, 2, 3, 4).")
        check_count(last + 1 - first, part)
        yield from map(str, range(first, last + 1))
