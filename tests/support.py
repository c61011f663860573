"""Runs the program as a user would: a command line, a results folder, maybe a process."""

from __future__ import annotations

import csv
import io
import json
import os
import signal
import subprocess
import sys
import threading
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest import mock

from machine.warm_process import WarmProcess, can_be_warm

PATIENCE = 300.0  # seconds for what takes a few where nobody else works
MAIN = Path(__file__).resolve().parents[1] / "src" / "main.py"


@dataclass(frozen=True)
class Results:
    """What a run left behind."""

    root: Path

    def folder(self, run_id: int = 1) -> Path:
        return self.root / "sacred" / str(run_id)

    def json(self, name: str, run_id: int = 1) -> dict[str, Any]:
        return json.loads((self.folder(run_id) / name).read_text())

    def status(self, run_id: int = 1) -> str:
        return self.json("run.json", run_id)["status"]

    def metrics(self, run_id: int = 1) -> list[tuple[str, ...]]:
        """Every logged value in order, without the wall time."""
        with (self.folder(run_id) / "metrics.csv").open(newline="") as file:
            return [tuple(row[:3]) for row in csv.reader(file)][1:]

    def last(self, key: str, run_id: int = 1) -> float:
        return [float(value) for _, name, value in self.metrics(run_id) if name == key][-1]

    @property
    def models(self) -> Path:
        """The only run's folder of checkpoints."""
        (folder,) = (self.root / "models").iterdir()
        return folder


Command = Callable[..., "subprocess.CompletedProcess[str]"]


def command_line(*words: str) -> list[str]:
    return [sys.executable, str(MAIN), *words]


def environment() -> dict[str, str]:
    return {**os.environ, "OMP_NUM_THREADS": "1", "COLUMNS": "100"}


def start_process(command: list[str], fresh: bool = False, **options: Any) -> subprocess.Popen[Any]:
    """A process that heeds Ctrl-C, as a user's would; a `fresh` one imports all by itself.

    Shells have SIGINT ignored by what they start in the background, and children inherit that. If
    pytest is run so, processes of its own would be, too; a handler, however, they do not inherit.
    """
    options = {"stderr": subprocess.DEVNULL, "env": environment(), **options}
    warm = not fresh and can_be_warm(command, options)
    with heeding_interrupts():
        return (WarmProcess if warm else subprocess.Popen)(command, **options)


@contextmanager
def heeding_interrupts() -> Iterator[None]:
    """Only the main thread may change what signals do; others leave it as it is."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    earlier = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, earlier)


def run_process(
    command: list[str], check: bool = False, timeout: float | None = None, **options: Any
) -> subprocess.CompletedProcess[str]:
    """`start_process` and what it said, as by subprocess.run."""
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    with killed_at_the_end(start_process(command, **{**pipes, **options})) as process:
        said = process.communicate(timeout=timeout)
    done = subprocess.CompletedProcess(command, process.returncode, *said)
    if check:
        assert done.returncode == 0, done.stdout + done.stderr
    return done


@contextmanager
def killed_at_the_end(process: subprocess.Popen[Any]) -> Iterator[subprocess.Popen[Any]]:
    """Whatever fails in between, nothing is left that runs on."""
    with process:
        try:
            yield process
        finally:
            process.kill()  # does nothing to one that has ended


def with_results(words: tuple[str, ...], results: Results) -> list[str]:
    """The command line, writing into the test's own results folder."""
    if any(word.startswith("local_results_path=") for word in words):
        return list(words)
    return [*words, *([] if "with" in words else ["with"]), f"local_results_path={results.root}"]


def play(
    results: Results, *words: str, check: bool = True, fresh: bool = False
) -> subprocess.CompletedProcess[str]:
    """The program, run to its end with these words; what it writes goes into `results`.

    It runs in this process, which saves the seconds that starting one takes; a `fresh` one imports
    all by itself, and has its own seed of `hash`.
    """
    told = with_results(words, results)
    if fresh:
        return run_process(command_line(*told), check=check, fresh=True)
    done = run_here(told)
    if check:
        assert done.returncode == 0, done.stdout + done.stderr
    return done


def run_here(words: list[str]) -> subprocess.CompletedProcess[str]:
    """`python src/main.py words` without a process of its own."""
    from main import main

    out, err = io.StringIO(), io.StringIO()
    with redirect_stdout(out), redirect_stderr(err), mock.patch.dict(os.environ, environment()):
        try:
            code = main(words)
        except Exception:
            traceback.print_exc()
            code = 1
    return subprocess.CompletedProcess(words, code, out.getvalue(), err.getvalue())
