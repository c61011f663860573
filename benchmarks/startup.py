"""What a command costs before anything happens: `--help`, and a run up to its first episode.

Run by `compare.py`.
"""

from __future__ import annotations

import resource
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

import interleave
from interleave import Case, Job

MAIN = Path(__file__).resolve().parents[1] / "src" / "main.py"
SHORTEST = "--config=qmix --env-config=grid with t_max=1 testing_on=False save_model=False"
COMMANDS = {"help": "--help", "list": "--list", "one episode": SHORTEST}


def cases(names: Sequence[str], peers: Mapping[str, str]) -> list[Case]:
    """Each command by itself: `names` are maps, which do not matter here."""
    return [
        Case(f"start-up, {name}", {"ours": Job(__file__, (command,))}, "ours")
        for name, command in COMMANDS.items()
    ]


def children_seconds() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def serve(command: str) -> None:
    with tempfile.TemporaryDirectory() as folder:
        words = [sys.executable, str(MAIN), *command.split()]
        if " with " in command:
            words.append(f"local_results_path={folder}")

        def work() -> float:
            before = children_seconds()
            subprocess.run(words, check=True, capture_output=True)
            return children_seconds() - before

        interleave.serve(work)


if __name__ == "__main__":
    interleave.be_child(serve)
