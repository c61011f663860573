"""PyMARL-K's command line: `python src/main.py --config=ALG --env-config=ENV with key=value`."""

from __future__ import annotations

import errno
import importlib
import sys
from collections.abc import Callable

from utils.errors import UserError

COMMANDS = {  # each module has a `main` that takes the other words
    "check-env": "envs.check",
    "curve": "viewing.curve",
    "dashboard": "dashboard.command",
    "doctor": "envs.sc2.doctor",
    "meetup": "theory.meetup",
    "replay": "viewing.replay",
}


def main(argv: list[str]) -> int:
    """Run one command; returns the exit code. A mistake of the user costs one screen."""
    try:
        return dispatch(argv)
    except UserError as error:
        return complain(str(error), error.exit_code)
    except OSError as error:
        if error.errno in STORAGE_REMEDIES:
            return complain(storage_message(error))
        raise
    except RuntimeError as error:
        if "memory" not in str(error):  # torch has no class of its own for this on the CPU
            raise
        return complain(
            f"Out of memory: {str(error).splitlines()[0]}\nMake it smaller: batch_size, "
            "batch_size_run, buffer_size or the networks (rnn_hidden_dim, hypernet_embed)."
        )
    except KeyboardInterrupt:
        return 130


def dispatch(argv: list[str]) -> int:
    """The commands that need neither torch nor sacred come first, and stay fast."""
    from utils import config

    if "--help" in argv or "-h" in argv or not argv:
        sys.stdout.write(config.help_text())
        return 0
    if "--list" in argv:
        topics = [word for word in argv if word != "--list"]
        if topics[:1] == ["runs"]:
            from reporting.listing import main as list_runs

            return list_runs(topics[1:])
        sys.stdout.write(config.list_text(*topics[:1]))
        return 0
    if argv[0] in COMMANDS:
        main_of: Callable[[list[str]], int] = importlib.import_module(COMMANDS[argv[0]]).main
        return main_of(argv[1:])
    if "print_config" in argv:
        sys.stdout.write(config.config_text(config.load_config(argv)))
        return 0
    from launch import launch

    return launch(argv)


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
