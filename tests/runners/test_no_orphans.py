"""No worker, and nothing that a worker started, outlives the main process."""

from __future__ import annotations

import os
import signal
import sys
import time
from pathlib import Path

import pytest

from tests.support import PATIENCE, start_process

ROOT = Path(__file__).resolve().parents[2]
SCRIPT = """
if __name__ == "__main__":  # workers import this file, too
    import sys
    sys.path[:0] = [{src!r}, {root!r}]
    from tests.runners.test_rollout import make_runner
    runner = make_runner("parallel", env="WithChild", env_args={{"pids": {pids!r}}},
                         batch_size_run=2)
    runner.run()
    {ending}
"""
ENDINGS = {
    "kill": "import time; time.sleep(600)",
    "terminate": "import time; time.sleep(600)",
    "close": "runner.close_env()",
    "exit without closing": "pass",
    "exception": "raise RuntimeError('oops')",
    "hard exit": "import os; os._exit(1)",
}


def alive(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"


def wait_until(happened, seconds: float = PATIENCE) -> bool:  # noqa: ANN001
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if happened():
            return True
        time.sleep(0.05)
    return False


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="looks into /proc")
@pytest.mark.parametrize("ending", ENDINGS)
def test_nothing_survives(tmp_path: Path, ending: str) -> None:
    pids = tmp_path / "pids"
    script = tmp_path / "play.py"
    script.write_text(
        SCRIPT.format(src=str(ROOT / "src"), root=str(ROOT), pids=str(pids), ending=ENDINGS[ending])
    )
    process = start_process([sys.executable, str(script)])
    assert wait_until(lambda: pids.exists() and len(pids.read_text().split()) == 4)
    started = [int(pid) for pid in pids.read_text().split()]
    if ending in ("kill", "terminate"):
        assert all(map(alive, started))
        time.sleep(1)  # into the sleep, past the rollout
        os.kill(process.pid, signal.SIGKILL if ending == "kill" else signal.SIGTERM)
    process.wait(timeout=PATIENCE)

    assert wait_until(lambda: not any(map(alive, started))), [p for p in started if alive(p)]
