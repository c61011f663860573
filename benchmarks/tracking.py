"""What a database costs a run while it goes on: one that works, is not there, or hangs.

    python benchmarks/tracking.py [--server HOST:PORT] [--beats 3]

A run of 50 metrics with 2,000 points each is told to its mirror, then a heartbeat every ten seconds
adds five points to each. Nothing else happens in the process, so its CPU time is what is taken from
a learner, however busy the machine is. *telling* is how long the run itself stands still for the
slowest heartbeat, *at the end* what delivering the rest takes, or giving up.
"""

from __future__ import annotations

import argparse
import datetime
import socket
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1] / "src"))

from mongo.live import PATIENCE, LiveMirror
from records.tracking import RunFolder

METRICS, POINTS, NEW_POINTS = 50, 2000, 5
BEAT = 10.0  # seconds, Sacred's own interval
SETTLING = 6.0  # seconds for the first delivery


class MadeUpRun:
    """As much of a run as a mirror hears of."""

    def __init__(self, address: str, folder: Path) -> None:
        run_folder, token = RunFolder(folder, resumed=False), str(time.time_ns())
        self.mirror = LiveMirror(address, token, run_folder)
        number, config = self.mirror.take_number(None), {"unique_token": token}
        experiment = {"base_dir": "/", "sources": [], "name": "bench"}
        self._now = datetime.datetime.now()
        self.mirror.started_event(experiment, "main", {}, self._now, config, {}, _id=number)
        self._info: dict[str, list[float]] = {}

    def beat(self, points: int) -> float:
        """Seconds that the mirror took to hear of `points` new values of every metric."""
        names = [f"metric_{i}" for i in range(METRICS)]
        new = {"steps": [*range(points)], "values": [0.5] * points}
        curve: dict[str, list[Any]] = {**new, "timestamps": [self._now] * points}
        for name in names:
            self._info.setdefault(name, []).extend(curve["values"])
            self._info.setdefault(f"{name}_T", []).extend(curve["steps"])
        began = time.perf_counter()
        self.mirror.log_metrics(dict.fromkeys(names, curve), self._info)
        self.mirror.heartbeat_event(self._info, "x" * 20_000, self._now, None)
        return time.perf_counter() - began


def measure(kind: str, address: str, beats: int) -> str:
    """A row of the table."""
    with tempfile.TemporaryDirectory() as folder:
        run = MadeUpRun(address, Path(folder))
        run.beat(POINTS)
        time.sleep(SETTLING)
        cpu, wall, telling = time.process_time(), time.perf_counter(), 0.0
        for _ in range(beats):
            telling = max(telling, run.beat(NEW_POINTS))
            time.sleep(BEAT)
        cpu, wall = time.process_time() - cpu, time.perf_counter() - wall
        began = time.perf_counter()
        run.mirror.finish(PATIENCE)
        end = time.perf_counter() - began
    return f"| {kind} | {cpu / wall:.2%} | {1000 * telling:.0f} ms | {end:.1f} s |\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--server", help="HOST:PORT of a MongoDB that may be written to")
    parser.add_argument("--beats", type=int, default=3)
    options = parser.parse_args()
    with socket.create_server(("127.0.0.1", 0)) as nobody:
        absent = f"127.0.0.1:{nobody.getsockname()[1]}:bench"
    silent = socket.create_server(("127.0.0.1", 0))  # takes connections and never answers
    kinds = {"not there": absent, "hangs": f"127.0.0.1:{silent.getsockname()[1]}:bench"}
    if options.server:
        kinds["works"] = f"{options.server}:bench"
    rows = [measure(kind, address, options.beats) for kind, address in kinds.items()]
    sys.stdout.write("| database | CPU | telling | at the end |\n|---|---|---|---|\n")
    sys.stdout.write("".join(rows))
    silent.close()


if __name__ == "__main__":
    main()
