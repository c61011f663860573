"""A run's folder as it is written."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from utils.tracking import RunFolder


def test_two_threads_may_write_the_same_file(tmp_path: Path) -> None:
    """Sacred's heartbeat and the end of a run, where a slow disk lets them meet."""
    folder = RunFolder(tmp_path, resumed=False)
    folder.dir = str(tmp_path)
    entries = [{"writer": n, "text": str(n) * 5000} for n in range(40)]
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda entry: folder.save_json(entry, "run.json"), entries))

    assert json.loads((tmp_path / "run.json").read_text()) in entries
