"""No game outlives the main process, wherever the environments live and however it ends."""

from __future__ import annotations

import os
import signal
import sys
import time
from pathlib import Path

import pytest

from tests.envs.sc2.places import FAKE_SMAC
from tests.runners.test_no_orphans import ENDINGS, ROOT, alive, wait_until
from tests.support import PATIENCE, start_process

SCRIPT = """
if __name__ == "__main__":  # workers import this file, too
    import sys
    sys.path[:0] = [{src!r}, {root!r}, {fake!r}]
    from tests.runners.test_rollout import make_runner
    runner = make_runner({runner!r}, env="sc2", batch_size_run=2,
                         env_args={{"map_name": "3m", "launch_spacing": 0.0}})
    runner.run()
    {ending}
"""
SIGNALS = {
    "kill": signal.SIGKILL,
    "terminate": signal.SIGTERM,
    "interrupt": signal.SIGINT,
}


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="looks into /proc")
@pytest.mark.parametrize(
    ("runner", "ending"),
    [
        *((runner, how) for runner in ("episode", "parallel") for how in (*ENDINGS, "interrupt")),
        ("parallel", "a worker killed, then terminate"),
    ],
)
@pytest.mark.usefixtures("game")
def test_no_game_survives(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, runner: str, ending: str
) -> None:
    pids, script = tmp_path / "pids", tmp_path / "play.py"
    last = ENDINGS.get(ending, ENDINGS["kill"])
    script.write_text(
        SCRIPT.format(
            src=str(ROOT / "src"), root=str(ROOT), fake=FAKE_SMAC, runner=runner, ending=last
        )
    )
    monkeypatch.setenv("GAME_PIDS", str(pids))
    process = start_process([sys.executable, str(script)])
    assert wait_until(lambda: pids.exists() and len(pids.read_text().split()) == 4)
    started = [int(pid) for pid in pids.read_text().split()]
    if ending in SIGNALS:
        time.sleep(1)  # into the sleep, past the rollout
        assert all(map(alive, started))
        os.kill(process.pid, SIGNALS[ending])
    if ending.startswith("a worker killed"):
        worker, its_game = started[:2]
        os.kill(worker, signal.SIGKILL)
        assert alive(its_game)
        os.kill(process.pid, signal.SIGTERM)
    process.wait(timeout=PATIENCE)

    assert wait_until(lambda: not any(map(alive, started))), [p for p in started if alive(p)]
