"""The limits of tests, and what is said of their time."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.cpu_time import ALARM, limited, minutes, used_by_all
from tests.support import environment

ROOT = Path(__file__).resolve().parents[1]
BUSY = "import time\nwhile time.process_time() < 0.5: pass\nprint(flush=True); input()"


def test_time_of_running_and_ended_processes_counts() -> None:
    before = used_by_all()
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    with subprocess.Popen([sys.executable, "-c", BUSY], **pipes) as process:
        process.stdout.readline()
        running = used_by_all() - before
        process.communicate(b"\n")
    assert running > 0.4
    assert used_by_all() - before > 0.4


@pytest.mark.parametrize(
    ("limits", "hangs"), [((0.1, 600.0), True), ((600.0, 0.0), True), ((600.0, 600.0), False)]
)
def test_a_test_that_hangs_fails(
    limits: tuple[float, float], hangs: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tests.cpu_time.LOOK_SECONDS", 0.1)
    earlier = signal.getsignal(ALARM)
    end = time.process_time() + 0.3

    def hang() -> None:
        with limited(used_by_all(), *limits):
            while time.process_time() < end or (hangs and limits[1] == 0.0):
                pass

    if hangs:
        with pytest.raises(pytest.fail.Exception, match="of processor time"):
            hang()
    else:
        hang()
    assert signal.getsignal(ALARM) == earlier


CONFTEST = """
from tests import cpu_time

cpu_time.LOOK_SECONDS = cpu_time.GRACE_SECONDS = 0.1
cpu_time.SLEEP_LIMIT = 5.0


def pytest_configure(config):
    config.pluginmanager.register(cpu_time.CpuTime(config))
"""
TESTS = """
import signal, subprocess, sys, time
BUSY = "import time\\nwhile time.process_time() < 0.5: pass"

def test_idle():
    time.sleep(0.2)

def test_busy():
    subprocess.run([sys.executable, "-c", BUSY])

def test_deaf():
    signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
    time.sleep(600)
"""


def test_a_session_ends_with_the_slowest_also_if_one_heeds_no_limit(tmp_path: Path) -> None:
    (tmp_path / "conftest.py").write_text(CONFTEST)
    (tmp_path / "test_three.py").write_text(TESTS)
    (tmp_path / "pytest.ini").write_text(f"[pytest]\npythonpath={ROOT}\n")
    words = ["-m", "pytest", "-n1", "--max-worker-restart=0", str(tmp_path)]
    done = subprocess.run(
        [sys.executable, *words], cwd=tmp_path, capture_output=True, text=True, env=environment()
    )

    said = done.stdout
    assert "crashed while running 'test_three.py::test_deaf'" in said
    busy, idle, all_of_it = said[said.index("processor time (and") :].splitlines()[1:4]
    assert busy.endswith("test_three.py::test_busy")
    assert idle.endswith("test_three.py::test_idle")
    assert float(busy.split()[0]) >= 0.4 > float(idle.split()[0])
    assert "of processor time" in all_of_it


def test_minutes() -> None:
    assert minutes(754.9) == "12 min 34 s"
