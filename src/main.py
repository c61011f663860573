"""PyMARL-K's command line: `python src/main.py --config=ALG --env-config=ENV with key=value`."""

from __future__ import annotations

import errno
import importlib
import sys
from collections.abc import Callable

from utils.errors import UserError


def main(argv: list[str]) -> int:
    """Run one command; returns the exit code."""
    return guarded(dispatch, argv)


def guarded(command: Callable[[list[str]], int], argv: list[str]) -> int:
    """The exit code of `command`. A mistake of the user costs one screen."""
    try:
        return command(argv)
    except UserError as error:
        return complain(str(error), error.exit_code)
    except OSError as error:
        if error.errno in STORAGE_REMEDIES:
            return complain(storage_message(error))
        raise
    except Exception as error:
        return explained(error)
    except KeyboardInterrupt:
        return 130


def explained(error: Exception) -> int:
    """The exit code, with a word on what is to be done; a mistake of ours is raised again."""
    from utils.config.plugins import failure_of

    if isinstance(error, RuntimeError) and "memory" in str(error):  # torch has no class for this
        return complain(
            f"Out of memory: {str(error).splitlines()[0]}\nMake it smaller: batch_size, "
            "batch_size_run, buffer_size or the networks (rnn_hidden_dim, hypernet_embed)."
        )
    failure = failure_of(error)
    if failure is None:
        raise error
    return complain(failure)


COMMANDS = {  # word -> module whose main(argv) does it
    "check-env": "envs.check",
    "doctor": "envs.sc2.doctor",
    "curve": "viewing.curve",
    "dashboard": "dashboard.command",
    "replay": "viewing.replay",
    "sync": "mongo.sync",
    "meetup": "theory.meetup",
}
OWN_HELP = {"dashboard"}


def dispatch(argv: list[str]) -> int:
    """What needs neither torch nor sacred comes first, and stays fast."""
    from utils import config

    asks = "--help" in argv or "-h" in argv
    if not argv or (asks and argv[0] not in OWN_HELP):
        sys.stdout.write(config.help_text())
        return 0
    if "--list" in argv:
        return show_list([word for word in argv if word != "--list"])
    if argv[0] in COMMANDS:
        command = importlib.import_module(COMMANDS[argv[0]])
        return int(command.main(argv[1:]))
    if "print_config" in argv:
        sys.stdout.write(config.config_text(config.load_config(argv)))
        return 0
    from launch import launch

    return launch(argv)


def show_list(topics: list[str]) -> int:
    """`--list TOPIC`; the list of runs takes folders."""
    if topics[:1] == ["runs"]:
        from reporting.listing import main as list_runs

        return list_runs(topics[1:])
    from utils import config

    sys.stdout.write(config.list_text(*topics[:1]))
    return 0


STORAGE_REMEDIES = {
    errno.ENOSPC: "The disk is full. Free some space, or use another place: local_results_path=...",
    errno.EDQUOT: "Your disk quota is used up. Free some, or use local_results_path=...",
    errno.ENOTDIR: "A file is where a folder must be. Give another place: local_results_path=...",
    errno.EEXIST: "A file is where a folder must be. Give another place: local_results_path=...",
    errno.EROFS: "That place is read-only. Give another one: local_results_path=...",
    errno.EACCES: "You may not write there. Give another place: local_results_path=...",
    errno.EPERM: "You may not write there. Give another place: local_results_path=...",
}


def storage_message(error: OSError) -> str:
    where = f" ({error.filename})" if error.filename else ""
    assert error.errno is not None
    return (
        f"Cannot write results{where}: {STORAGE_REMEDIES[error.errno]} "
        "What was written before is intact; resume=latest continues from the last checkpoint."
    )


def complain(message: str, exit_code: int = UserError.exit_code) -> int:
    sys.stderr.write(f"\n{message}\n")
    return exit_code


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
