"""Sweeps as users make them: failing, stopped, repeated, on machines that die."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

pytest.importorskip("ray")

from tests.support import PATIENCE, Results, environment
from tests.sweeps.node_loss import (
    SHORT,
    SweepFolder,
    differing,
    left_behind,
    lose_a_node,
    sweep_line,
    wait_until,
)

# Breaks with seed 2 while a file `broken` is beside it, and takes its time while a file `slow` is.
MOODY = """
import time
from pathlib import Path
from envs import REGISTRY
from envs.grid import Grid

HERE = Path(__file__).parent


class Moody(Grid):
    episodes = 0

    def __init__(self, seed=None):
        super().__init__(seed=seed)
        self.breaks = seed == 2

    def reset(self):
        self.episodes += 1
        if (HERE / "slow").exists():
            time.sleep(0.5)
        if self.breaks and self.episodes > 10 and (HERE / "broken").exists():
            raise RuntimeError("I would rather not")
        return super().reset()


REGISTRY["moody"] = Moody
"""
needs_proc = pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="looks into /proc")


@pytest.fixture
def words(tmp_path: Path) -> tuple[str, ...]:
    """A sweep of two seeds."""
    (tmp_path / "moody.py").write_text(MOODY)
    settings = tmp_path / "moody.yaml"
    settings.write_text("env: moody\nplugins: [moody.py]\n")
    task = ("--config=qmix", f"--env-config={settings}", "with", "seed=1..2", "t_max=400")
    return (*task, "env_restart_limit=1")


def start(*words: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        sweep_line(*words),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env=environment(),
        start_new_session=True,  # as a terminal does: Ctrl-C reaches all of the group
    )


def result(process: subprocess.Popen[str]) -> tuple[int, str]:
    said = process.communicate(timeout=PATIENCE)[0]
    return process.returncode, said


@pytest.mark.slow
@needs_proc
def test_a_sweep_that_fails_and_is_stopped_is_completed_by_the_same_command(
    tmp_path: Path, words: tuple[str, ...]
) -> None:
    made = SweepFolder(Results(tmp_path / "results"), "mine")
    place = f"local_results_path={made.results.root}"

    def begin() -> subprocess.Popen[str]:
        return start("--name=mine", "--retries=1", *words, *SHORT, place)

    # One run fails, and fails again where it is retried; the other one is finished.
    (tmp_path / "broken").touch()
    code, said = result(begin())
    assert code == 1, said
    assert "failed: qmix moody seed=2: exit code 2" in said
    assert "1 of 2 done" in said
    states = {run["label"]: run["state"] for run in made.runs}
    assert states == {"qmix moody seed=1": "done", "qmix moody seed=2": "failed"}
    assert sorted(map(len, made.attempts())) == [1, 2]
    assert made.resumes() == 1

    # The same command plays what is missing. Ctrl-C: it is saved, and nothing is left.
    (tmp_path / "broken").unlink()
    (tmp_path / "slow").touch()
    process = begin()
    wait_until(lambda: made.playing() == 1 and made.resumes() == 2, process)
    os.killpg(process.pid, signal.SIGINT)
    code, said = result(process)
    assert code == 130, said
    assert "The same command plays what is missing" in said
    assert left_behind(tmp_path) == []
    stopped = next(run for run in made.runs if run["state"] != "done")
    assert stopped["state"] == "waiting"
    assert stopped["attempts"][-1]["ended"] is not None
    assert sorted(made.results.status(run_id) for run_id in (1, 2)) == ["COMPLETED", "INTERRUPTED"]

    (tmp_path / "slow").unlink()
    code, said = result(begin())
    assert code == 0, said
    assert "2 of 2 done" in said
    assert sorted(map(len, made.attempts())) == [1, 4]
    assert len(list((made.results.root / "sacred").glob("[0-9]*"))) == 2

    # Nothing is missing.
    code, said = result(begin())
    assert code == 0, said
    assert sorted(map(len, made.attempts())) == [1, 4]


@pytest.mark.slow
@needs_proc
def test_a_node_is_lost_and_no_number_changes(tmp_path: Path, words: tuple[str, ...]) -> None:
    """benchmarks/sweep_node_loss.py does the same with 24 runs."""
    (tmp_path / "slow").touch()
    hurry: Callable[[], None] = (tmp_path / "slow").unlink
    sweep = lose_a_node(tmp_path / "sweep", 0, 2, *words, then=hurry)

    assert sorted(map(len, sweep.attempts())) == [1, 2]
    assert sweep.resumes() == 1
    assert left_behind(tmp_path) == []
    assert differing(sweep, tmp_path / "alone") == []
