"""A sweep on two nodes, one of which is killed; then the same runs, each alone."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.ray_cluster import kill_second_node, two_nodes
from tests.support import PATIENCE, Results, command_line, environment, run_process

SWEEP = Path(__file__).resolve().parents[2] / "src" / "sweep.py"
SHORT = (
    "batch_size=4",
    "test_interval=200",
    "test_nepisode=3",
    "runner_log_interval=50",
    "learner_log_interval=50",
    "log_interval=100",
    "checkpoint_interval=20",
    "torch_threads=1",
)


def sweep_line(*words: str) -> list[str]:
    return [sys.executable, str(SWEEP), *words]


@dataclass(frozen=True)
class SweepFolder:
    """What a sweep wrote, read while it goes on, too."""

    results: Results
    name: str

    @property
    def folder(self) -> Path:
        return self.results.root / "sweeps" / self.name

    @property
    def runs(self) -> list[dict[str, Any]]:
        path = self.folder / "manifest.json"
        return list(json.loads(path.read_text())["runs"].values()) if path.exists() else []

    def attempts(self) -> list[list[dict[str, Any]]]:
        """Of every run that was begun."""
        found = sorted(self.folder.glob("runs/*/attempts.json"))
        return [json.loads(path.read_text()) for path in found]

    def playing(self) -> int:
        return sum(attempts[-1]["ended"] is None for attempts in self.attempts())

    def finished(self) -> int:
        return sum(attempts[-1]["exit_code"] == 0 for attempts in self.attempts())

    def saved(self) -> int:
        """Runs that have a checkpoint."""
        models = self.results.root / "models"
        return len({path.parents[1] for path in models.glob("*/[0-9]*/state.pt")})

    def resumes(self) -> int:
        """How often a run was gone on with from a checkpoint."""
        outputs = self.folder.glob("runs/*/output.txt")
        return sum(path.read_text().count("resumed from run") for path in outputs)

    def commands(self) -> list[tuple[int, list[str]]]:
        """Each run's id, and the words that make it alone."""
        return [(int(run["run_id"]), run["command"].split()[2:]) for run in self.runs]


def wait_until(happened: Callable[[], bool], process: subprocess.Popen[str]) -> None:
    deadline = time.monotonic() + PATIENCE
    while not happened():
        assert process.poll() is None, process.communicate()[0]
        assert time.monotonic() < deadline
        time.sleep(0.05)


def lose_a_node(
    root: Path,
    finished_before: int,
    saved: int,
    *words: str,
    cores: int = 1,
    then: Callable[[], None] = lambda: None,
) -> SweepFolder:
    """The sweep of `words`, complete, although a node was killed while both were playing.

    By then `finished_before` runs had ended, and of those that were playing `saved` had a
    checkpoint. Each node plays `cores` at a time. `then` is called after the kill.
    """
    sweep = SweepFolder(Results(root), "loss")
    words = (*words, *SHORT, f"local_results_path={root}")
    with two_nodes((cores, cores)) as cluster:
        process = subprocess.Popen(
            sweep_line("--name=loss", f"--address={cluster.address}", *words),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            env=environment(),
        )

        def midway() -> bool:
            finished = sweep.finished()
            enough = finished >= finished_before and sweep.saved() - finished >= saved
            return enough and sweep.playing() == 2 * cores

        wait_until(midway, process)
        kill_second_node(cluster)
        then()
        said = process.communicate(timeout=1200)[0]
    assert process.returncode == 0, said
    return sweep


def differing(sweep: SweepFolder, root: Path, at_once: int = 2) -> list[str]:
    """Of the sweep's runs, those that give other metrics when they are made alone."""

    def differs(number: int, run_id: int, words: list[str]) -> bool:
        alone = Results(root / str(number))
        settings = [word for word in words if not word.startswith("local_results_path=")]
        line = command_line(*settings, f"local_results_path={alone.root}")
        run_process(line, check=True)
        assert alone.metrics()
        return alone.metrics() != sweep.results.metrics(run_id)

    commands = sweep.commands()
    with ThreadPoolExecutor(at_once) as pool:
        jobs = [pool.submit(differs, n, *command) for n, command in enumerate(commands)]
    pairs = zip(commands, jobs, strict=True)
    return [" ".join(words) for (_, words), job in pairs if job.result()]


def left_behind(root: Path) -> list[str]:
    """Processes that still work for a sweep below `root`."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            words = path.read_bytes().decode().split("\0")
        except OSError:
            continue  # it has just ended
        if int(path.parent.name) != os.getpid() and any(str(root) in word for word in words):
            found.append(" ".join(words))
    return found
