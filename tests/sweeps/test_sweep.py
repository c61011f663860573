"""Sweeps as users make them: stopped, failing, repeated, on machines that die."""

from __future__ import annotations

import os
import signal
import subprocess
from pathlib import Path

import pytest

pytest.importorskip("ray")

from tests.support import Results, environment
from tests.sweeps.node_loss import (
    SHORT,
    SweepFolder,
    differing,
    left_behind,
    lose_a_node,
    resumed,
    sweep_line,
    wait_until,
)

MOODY = """
import os
from pathlib import Path
from envs import REGISTRY
from envs.grid import Grid

FLAG = Path(__file__).with_name("flag")


class Moody(Grid):
    episodes = 0

    def __init__(self, seed=None):
        super().__init__(seed=seed)
        self.fails = seed == 2

    def reset(self):
        self.episodes += 1
        if self.fails and self.episodes > 10 and FLAG.exists():
            raise RuntimeError("I would rather not")
        return super().reset()


REGISTRY["moody"] = Moody
"""


class Sweep:
    """The command of a sweep of two seeds, the second of which fails while the flag is there."""

    def __init__(self, folder: Path) -> None:
        (folder / "moody.py").write_text(MOODY)
        settings = folder / "moody.yaml"
        settings.write_text("env: moody\nplugins: [moody.py]\n")
        self.flag = folder / "flag"
        self.made = SweepFolder(Results(folder / "results"), "mine")
        self.line = sweep_line(
            "--name=mine", "--retries=1", "--config=qmix", f"--env-config={settings}",
            "with", "seed=1..2", *SHORT, "env_restart_limit=1",
            f"local_results_path={self.made.results.root}",
        )  # fmt: skip

    def start(self) -> subprocess.Popen[str]:
        return subprocess.Popen(
            self.line,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            env=environment(),
            start_new_session=True,  # as a terminal does: Ctrl-C reaches all of the group
        )

    def run(self) -> tuple[int, str]:
        process = self.start()
        said = process.communicate(timeout=240)[0]
        return process.returncode, said


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="looks into /proc")
def test_a_sweep_is_stopped_then_half_fails_then_is_completed(tmp_path: Path) -> None:
    sweep = Sweep(tmp_path)
    made = sweep.made

    # Ctrl-C: all is saved, nothing is left.
    process = sweep.start()
    wait_until(lambda: made.playing() == 2 and made.saved() == 2, process)
    os.killpg(process.pid, signal.SIGINT)
    said = process.communicate(timeout=120)[0]
    assert process.returncode == 130, said
    assert "The same command plays what is missing" in said
    assert left_behind(tmp_path) == []
    assert [made.results.status(run_id) for run_id in (1, 2)] == ["INTERRUPTED"] * 2

    # One run fails, and fails again where it is retried; the other one is finished.
    sweep.flag.touch()
    code, said = sweep.run()
    assert code == 1, said
    assert "failed: qmix moody seed=2: exit code 2" in said
    assert "1 of 2 done" in said
    states = {run["label"]: run["state"] for run in made.runs}
    assert states == {"qmix moody seed=1": "done", "qmix moody seed=2": "failed"}
    assert sorted(map(len, made.attempts())) == [2, 3]

    # The same command plays what is missing, and only that.
    sweep.flag.unlink()
    code, said = sweep.run()
    assert code == 0, said
    assert "2 of 2 done" in said
    assert sorted(map(len, made.attempts())) == [2, 4]
    assert resumed(made) == 2
    assert len(list((made.results.root / "sacred").glob("[0-9]*"))) == 2

    # Nothing is missing.
    code, said = sweep.run()
    assert code == 0, said
    assert sorted(map(len, made.attempts())) == [2, 4]

    assert differing(made, tmp_path / "alone") == []


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="looks into /proc")
def test_a_node_is_lost_and_no_number_changes(tmp_path: Path) -> None:
    """benchmarks/sweep_node_loss.py does the same with 24 runs."""
    words = ("--config=qmix", "--env-config=two_step", "with", "seed=1..2")
    sweep = lose_a_node(tmp_path / "sweep", 0, *words)

    assert sorted(map(len, sweep.attempts())) == [1, 2]
    assert resumed(sweep) == 1
    assert left_behind(tmp_path) == []
    assert differing(sweep, tmp_path / "alone") == []
