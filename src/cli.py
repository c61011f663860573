"""From the words of a command line to what they ask for, and from its mistakes to one screen."""

from __future__ import annotations

import errno
import importlib
import importlib.metadata
import io
import platform
import sys
from collections.abc import Callable

from pymarlk import __version__
from utils.errors import UserError, one_screen
from utils.prerequisites import REMEDY

# What requirements.txt installs, by the names that are imported.
CORE = {"torch", "numpy", "yaml", "sacred", "docopt", "pymongo", "pkg_resources"}


def main(argv: list[str]) -> int:
    """Run one command; returns the exit code."""
    return guarded(dispatch, argv)


def guarded(command: Callable[[list[str]], int], argv: list[str]) -> int:
    """The exit code of `command`. A mistake of the user costs one screen."""
    allow_poor_alphabets()
    try:
        return command(argv)
    except UserError as error:
        return complain(str(error), error.exit_code)
    except ModuleNotFoundError as error:
        if error.name not in CORE:
            raise
        return complain(
            f"This Python ({sys.executable}) lacks packages of PyMARL-K, first '{error.name}'.\n"
            f"{REMEDY}"
        )
    except OSError as error:
        if error.errno in STORAGE_REMEDIES:
            return complain(storage_message(error))
        if error.errno == errno.ENAMETOOLONG:
            return complain(f"No file can have a name as long as {error.filename}.")
        raise
    except Exception as error:
        return explained(error)
    except KeyboardInterrupt:
        return 130


def explained(error: Exception) -> int:
    """The exit code, with a word on what is to be done; a mistake of ours is raised again."""
    from configuration.plugins import failure_of

    if isinstance(error, RuntimeError) and "memory" in str(error):  # torch has no class for this
        return complain(
            f"Out of memory: {str(error).splitlines()[0]}\nMake it smaller: batch_size, "
            "batch_size_run, buffer_size or the networks (rnn_hidden_dim, hypernet_embed)."
        )
    failure = failure_of(error)
    if failure is None:
        raise error
    return complain(failure)


def allow_poor_alphabets() -> None:
    """A terminal that cannot show ± or █ shows ? instead."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper) and not can_say_all(stream):
            stream.reconfigure(errors="replace")


def can_say_all(stream: io.TextIOWrapper) -> bool:
    try:
        "±█".encode(stream.encoding)
    except UnicodeEncodeError:
        return False
    return True


def dispatch(argv: list[str]) -> int:
    """What needs neither torch nor sacred comes first, and stays fast."""
    import configuration

    if argv and argv[0] in configuration.PROGRAMS:
        return PROGRAMS[argv[0]](argv[1:])
    if not argv or "--help" in argv or "-h" in argv:
        return show_help(argv)
    if argv[0] == "--version":
        return show_version()
    if "--list" in argv:
        return show_list([word for word in argv if word != "--list"])
    if (
        module := configuration.COMMANDS[argv[0]].module
        if argv[0] in configuration.COMMANDS
        else None
    ):
        return int(importlib.import_module(module).main(argv[1:]))
    if "print_config" in argv:
        sys.stdout.write(configuration.config_text(configuration.load_config(argv)))
        return 0
    configuration.sort_words(argv)  # words that fit nowhere are told before torch is imported
    from launch import launch

    return launch(argv).exit_code


def show_help(argv: list[str]) -> int:
    """That of the command among the words, else the program's."""
    import configuration

    first = argv[0] if argv else "with"
    if first not in [*configuration.COMMANDS, "with"] and first[:1] != "-" and "=" not in first:
        raise configuration.unknown_command(first)
    named = next((word for word in argv if word in configuration.COMMANDS), None)
    if named is None:
        sys.stdout.write(configuration.help_text())
    elif configuration.COMMANDS[named].own_help:
        return int(
            importlib.import_module(str(configuration.COMMANDS[named].module)).main(["--help"])
        )
    else:
        sys.stdout.write(configuration.command_help(named))
    return 0


def show_version() -> int:
    """PyMARL-K's version, and those of what it stands on; torch is not imported for it."""
    try:
        torch = f"torch {importlib.metadata.version('torch')}"
    except importlib.metadata.PackageNotFoundError:
        torch = "no torch"
    python = platform.python_version()
    sys.stdout.write(f"PyMARL-K {__version__} (Python {python}, {torch})\n")
    return 0


def sweep(argv: list[str]) -> int:
    """The command of sweep.py."""
    if "--help" in argv or "-h" in argv or not argv:
        from configuration import SWEEP_HELP

        sys.stdout.write(SWEEP_HELP)
        return 0
    if argv[0] == "--version":
        return show_version()
    from sweeps.drive import sweep as drive

    return drive(argv)


def report(argv: list[str]) -> int:
    """The command of report.py."""
    if argv[:1] == ["--version"]:
        return show_version()
    from reporting.command import main as write_report

    return write_report(argv)


PROGRAMS = {"sweep": sweep, "report": report}


def show_list(topics: list[str]) -> int:
    """`--list TOPIC`; the list of runs takes folders."""
    if topics[:1] == ["runs"]:
        from reporting.listing import main as list_runs

        return list_runs(topics[1:])
    import configuration

    sys.stdout.write(configuration.list_text(*topics[:1]))
    return 0


STORAGE_REMEDIES = {
    errno.ENOSPC: "The disk is full. Free some space, or use another place: local_results_path=...",
    errno.EFBIG: "No file may grow so large here. Raise the limit (ulimit -f unlimited; in a batch "
    "system its file size), or use another place: local_results_path=...",
    errno.EDQUOT: "Your disk quota is used up. Free some, or use local_results_path=...",
    errno.ENOTDIR: "A file is where a folder must be. Give another place: local_results_path=...",
    errno.EEXIST: "A file is where a folder must be. Give another place: local_results_path=...",
    errno.EROFS: "That place is read-only. Give another one: local_results_path=...",
    errno.EACCES: "You may not write there. Give another place: local_results_path=...",
    errno.EPERM: "You may not write there. Give another place: local_results_path=...",
}


def storage_message(error: OSError) -> str:
    file = error.filename2 or error.filename  # the second is what was written, of two
    where = f" ({file})" if file else ""
    assert error.errno is not None
    return (
        f"Cannot write results{where}: {STORAGE_REMEDIES[error.errno]} "
        "What was written before is intact; resume=latest continues from the last checkpoint."
    )


def complain(message: str, exit_code: int = UserError.exit_code) -> int:
    sys.stderr.write(f"\n{one_screen(message)}\n")
    return exit_code
