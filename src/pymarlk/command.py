"""The command `pymarlk`: the command line of `python src/main.py`, for an installed package."""

from __future__ import annotations

import sys

from pymarlk.modules import ModuleClashError, add_to_path


def main() -> int:
    """The exit code."""
    try:
        add_to_path()
    except ModuleClashError as error:
        sys.stderr.write(f"{error}\n")
        return 2
    from cli import main as command_line

    return command_line(sys.argv[1:])
