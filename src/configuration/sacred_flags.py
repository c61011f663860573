"""Sacred's own options: which there are, and what may be given with each."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from dataclasses import dataclass

from configuration.mongo import FORMS, masked
from configuration.plain import flaw
from utils.errors import UserError

LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL")
ONE_PLACE = "results go to one place. Type local_results_path=DIR instead."


@dataclass(frozen=True)
class Flag:
    """One option of Sacred."""

    short: str
    long: str
    # What takes a value: the value as Sacred is to have it, or None if it cannot be.
    read: Callable[[str], str | None] | None = None
    allowed: str = ""  # said about a value that cannot be
    refused: str = ""  # why the option is not for this program

    @property
    def names(self) -> tuple[str, ...]:
        """Sacred spells some with dashes and some with underscores: both are understood."""
        return self.short, self.long, "--" + self.long[2:].replace("_", "-")

    def value(self, text: str) -> str:
        """`text`, checked."""
        assert self.read is not None
        value = self.read(text)
        if value is None:
            raise UserError(f"{self.short} {masked(text)} cannot be. {self.long}: {self.allowed}.")
        return value


def _seconds(text: str) -> str | None:
    return text if 0.1 <= _number(text) <= 86400 else None


def _priority(text: str) -> str | None:
    return text if math.isfinite(_number(text)) else None


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return math.nan


def _run_number(text: str) -> str | None:
    fits = re.fullmatch("[0-9]{1,9}", text) is not None and int(text) > 0
    return str(int(text)) if fits else None


def _level(text: str) -> str | None:
    if re.fullmatch("[0-9]{1,2}", text):
        return text if int(text) <= 50 else None
    return text.upper() if text.upper() in LEVELS else None


def _captured(text: str) -> str | None:
    return text if text in ("no", "sys") else None


def _text(text: str) -> str | None:
    return text if text and not flaw(text) else None


def _address(text: str) -> str | None:
    return text  # configuration.mongo looks at it


FLAGS = (
    Flag("-b", "--beat-interval", _seconds, "seconds between writings of the record, 0.1 to 86400"),
    Flag(
        *("-C", "--capture", _captured),
        "what goes into cout.txt: sys (Python's output) or no; fd would write outside the results",
    ),
    Flag("-c", "--comment", _text, "a remark in the run's record"),
    Flag("-d", "--debug"),
    Flag("-e", "--enforce_clean"),
    Flag("-F", "--file_storage", _text, refused=ONE_PLACE),
    Flag("-f", "--force"),
    Flag("-i", "--id", _run_number, "number of the run's folder in sacred/, 1 to 999999999"),
    Flag("-l", "--loglevel", _level, f"0 to 50, or {', '.join(LEVELS)}"),
    Flag("-m", "--mongo_db", _address, FORMS),
    Flag("-n", "--name", _text, "name of the experiment in the run's record"),
    Flag(
        *("-D", "--pdb"),
        refused="the debugger starts with: python -m pdb -c continue src/main.py ...",
    ),
    Flag("-p", "--print-config"),
    Flag("-P", "--priority", _priority, "a number, for runs that wait in a queue"),
    Flag("-q", "--queue"),
    Flag("-S", "--s3", _text, refused=ONE_PLACE),
    Flag("-s", "--sql", _text, refused=ONE_PLACE),
    Flag("-t", "--tiny_db", _text, refused=ONE_PLACE),
    Flag("-u", "--unobserved"),
)


def find_flag(word: str) -> tuple[Flag, str | None] | None:
    """The option that `word` is, and the value written together with it (-l30, --loglevel=30)."""
    name, equals, attached = word.partition("=")
    for flag in FLAGS:
        if name in flag.names:
            return flag, attached if equals else None
    for flag in FLAGS:
        if flag.read and word.startswith(flag.short) and not word.startswith("--"):
            return flag, word[2:]
    return None


def take_flag(flag: Flag, attached: str | None, rest: list[str]) -> str | bool:
    """What is given with `flag`: its value, from the next word if need be; True if it has none."""
    if flag.refused:
        raise UserError(f"{flag.short} ({flag.long}): {flag.refused}")
    if flag.read is None:
        if attached is not None:
            raise UserError(f"{flag.long} takes no value. Type {flag.short}, or {flag.long} alone.")
        return True
    if attached is None and (not rest or rest[0] == "with" or rest[0].startswith("--")):
        raise UserError(f"{flag.short} ({flag.long}) needs a value: {flag.allowed}.")
    return flag.value(rest.pop(0) if attached is None else attached)
