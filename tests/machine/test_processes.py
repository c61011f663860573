"""What /proc tells of this process and of one that it starts."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from machine.processes import PROC, peak_bytes, status_bytes

OWN = PROC / str(os.getpid())
SIZE = 200_000_000
CHILD = f"held = b'x' * {SIZE}; del held; print('freed', flush=True); input()"
pytestmark = pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="looks into /proc")


def test_children_count_at_their_highest() -> None:
    with subprocess.Popen(
        [sys.executable, "-c", CHILD], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as child:
        assert child.stdin
        assert child.stdout
        child.stdout.readline()
        own, together = status_bytes(OWN, "VmHWM"), peak_bytes(OWN)
        held = status_bytes(PROC / str(child.pid), "VmRSS")
        child.stdin.close()

    assert own
    assert together
    assert held
    assert held < SIZE  # given back
    assert together >= own + SIZE


def test_where_nobody_says_there_is_no_number(tmp_path: Path) -> None:
    assert peak_bytes(tmp_path / "1") is None

    (tmp_path / "1").mkdir()
    (tmp_path / "1" / "status").write_text("Name:\tpython\nVmHWM:\t    12 kB\n")
    assert status_bytes(tmp_path / "1", "VmHWM") == 12 * 1024
    assert status_bytes(tmp_path / "1", "VmRSS") is None
    assert peak_bytes(tmp_path / "1") is None  # its children are not told
