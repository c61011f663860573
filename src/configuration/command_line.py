"""Words of a command line: settings files, updates after `with`, Sacred's options and commands."""

from __future__ import annotations

from dataclasses import dataclass, field

from configuration.commands import COMMANDS, PROGRAMS
from configuration.mongo import masked
from configuration.sacred_flags import FLAGS, find_flag, take_flag
from utils.errors import UserError, did_you_mean
from utils.program import MAIN

COMMAND_LINE = "command line"  # where a setting may come from
FILES = ("--config", "--env-config")
TRUST = "--trust"  # see docs/resume.md
EXAMPLE = f"{MAIN} --config=qmix --env-config=two_step with lr=0.001"


@dataclass
class Words:
    """A command line, sorted."""

    files: dict[str, str] = field(default_factory=dict)  # "--config" -> name or path
    updates: list[tuple[str, str]] = field(default_factory=list)  # key, text of the value
    options: dict[str, str | bool] = field(default_factory=dict)  # Sacred's, by their long names
    command: str | None = None
    trust: bool = False  # plugins of a run from elsewhere may run

    @property
    def force(self) -> bool:
        return "--force" in self.options


def sort_words(argv: list[str]) -> Words:
    """Sort the words; a word that fits nowhere is an error."""
    words, rest = Words(), list(argv)
    while rest:
        word = rest.pop(0)
        name, equals, value = word.partition("=")
        if name in FILES:
            _take_file(words, name, value if equals else _value_of(name, rest))
        elif word == TRUST:
            words.trust = True
        elif word.startswith("-"):
            _take_option(words, word, rest)
        elif equals:
            words.updates.append((name, value))
        elif word == "with":
            continue
        else:
            _take_command(words, word)
    mongo = words.options.pop("--mongo_db", None)
    if mongo is not None:  # Sacred's own observer would end the run with the database
        words.updates.append(("mongo", str(mongo)))
    return words


def _take_file(words: Words, name: str, value: str) -> None:
    if name in words.files:
        raise UserError(
            f"{name} is given twice, {words.files[name]} and {value}. One file can be named; "
            "set the rest after `with`, as in `with lr=0.001`."
        )
    words.files[name] = value


def _value_of(name: str, rest: list[str]) -> str:
    if not rest or rest[0].startswith("-") or rest[0] == "with":
        raise UserError(f"{name} needs a name or a path, as in {EXAMPLE}")
    return rest.pop(0)


def _take_option(words: Words, word: str, rest: list[str]) -> None:
    found = find_flag(word)
    if found is None:
        known = [*FILES, TRUST, "--help", "--list", "--version", *(flag.long for flag in FLAGS)]
        name = word.partition("=")[0]
        raise UserError(
            f"Unknown option {masked(word)}.{did_you_mean(name, known)} Example: {EXAMPLE}\n"
            "--help shows all settings."
        )
    flag, attached = found
    value = take_flag(flag, attached, rest)
    if flag.read and flag.long in words.options:
        raise UserError(f"{flag.short} ({flag.long}) is given twice. Type it once.")
    words.options[flag.long] = value


def _take_command(words: Words, word: str) -> None:
    if word not in COMMANDS:
        raise unknown_command(word)
    if words.command is not None:
        raise UserError(f"{words.command} {word}: type one command at a time.")
    if words.updates or COMMANDS[word].module:
        raise UserError(f"The command {word} comes first: {MAIN} {COMMANDS[word].form}")
    words.command = word


def unknown_command(word: str) -> UserError:
    known = [*COMMANDS, *PROGRAMS]
    return UserError(
        f"'{masked(word)}' is neither a command nor of the form key=value."
        f"{did_you_mean(word, known)} Commands: {', '.join(known)}.\nExample: {EXAMPLE}"
    )
