"""Words of a command line: settings files, updates after `with`, Sacred's options and commands."""

from __future__ import annotations

from dataclasses import dataclass, field

from utils.config.commands import COMMANDS
from utils.config.mongo import masked
from utils.errors import UserError, did_you_mean

COMMAND_LINE = "command line"  # where a setting may come from
FILES = ("--config", "--env-config")
TRUST = "--trust"  # see docs/resume.md
# Sacred's options, short -> long; those in TAKING_VALUE are followed by a value.
SACRED = {
    "-b": "--beat-interval",
    "-C": "--capture",
    "-c": "--comment",
    "-d": "--debug",
    "-e": "--enforce_clean",
    "-f": "--force",
    "-i": "--id",
    "-l": "--loglevel",
    "-m": "--mongo_db",
    "-n": "--name",
    "-D": "--pdb",
    "-p": "--print-config",
    "-P": "--priority",
    "-q": "--queue",
    "-S": "--s3",
    "-s": "--sql",
    "-t": "--tiny_db",
    "-u": "--unobserved",
}
TAKING_VALUE = {"-b", "-C", "-c", "-i", "-l", "-m", "-n", "-P", "-S", "-s", "-t"}
EXAMPLE = "python src/main.py --config=qmix --env-config=two_step with lr=0.001"


@dataclass
class Words:
    """A command line, sorted."""

    files: dict[str, str] = field(default_factory=dict)  # "--config" -> name or path
    updates: list[tuple[str, str]] = field(default_factory=list)  # key, text of the value
    options: list[str] = field(default_factory=list)  # for Sacred, as given
    command: str | None = None
    trust: bool = False  # plugins of a run from elsewhere may run

    @property
    def force(self) -> bool:
        return "-f" in self.options or "--force" in self.options


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
    name, equals, _ = word.partition("=")
    short = next((s for s, long in SACRED.items() if name in (s, long, _dashed(long))), None)
    if short is None and word[:2] in TAKING_VALUE and not word.startswith("--"):
        short, equals = word[:2], word[2:]  # -mlocalhost:27017:db
    if name in ("-F", "--file_storage", "--file-storage"):
        raise UserError(f"{word}: results go to one place. Type local_results_path=DIR instead.")
    if short is None:
        known = [*FILES, TRUST, "--help", "--list", "--version", *SACRED.values()]
        raise UserError(
            f"Unknown option {masked(word)}.{did_you_mean(name, known)} Example: {EXAMPLE}\n"
            "--help shows all settings."
        )
    given = [word]
    if short in TAKING_VALUE and not equals:
        if not rest:
            raise UserError(f"{word} needs a value.")
        given.append(rest.pop(0))
    if short == "-m":  # Sacred's own observer would end the run with the database
        attached = word.partition("=")[2] if word.startswith("--") else word[2:].removeprefix("=")
        words.updates.append(("mongo", attached or given[-1]))
    else:
        words.options += given


def _take_command(words: Words, word: str) -> None:
    if word not in COMMANDS:
        raise unknown_command(word)
    if words.command is not None:
        raise UserError(f"{words.command} {word}: type one command at a time.")
    if words.updates or COMMANDS[word].module:
        raise UserError(f"The command {word} comes first: python src/main.py {COMMANDS[word].form}")
    words.command = word


def unknown_command(word: str) -> UserError:
    return UserError(
        f"'{masked(word)}' is neither a command nor of the form key=value."
        f"{did_you_mean(word, COMMANDS)} Commands: {', '.join(COMMANDS)}.\nExample: {EXAMPLE}"
    )


def _dashed(option: str) -> str:
    return "--" + option[2:].replace("_", "-")
