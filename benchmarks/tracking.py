"""What a database costs a run: none, one that works, one that is not there, one that hangs.

    python benchmarks/tracking.py [--server HOST:PORT] [--rounds 5] [--steps 1500]

Each round makes the same short run once with each database, in turn, so that whatever else the
machine does falls on all alike; the table has the medians over the rounds. *loop* is the time from
the first logged value to the last, *before* and *after* what the command takes beside that. The
heartbeat comes every second instead of every ten: all costs of tracking count tenfold here.
"""

from __future__ import annotations

import argparse
import csv
import os
import socket
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

os.environ.setdefault("OMP_NUM_THREADS", "1")
sys.path.insert(0, str(Path(__file__).parents[1] / "src"))

import torch

from launch import launch

RUN = [
    *("--config=qmix", "--env-config=grid", "-b", "1", "with", "seed=1", "batch_size=8"),
    *("test_interval=1000000", "log_interval=20", "runner_log_interval=20"),
    *("learner_log_interval=20", "use_cuda=False"),
]


class Times(NamedTuple):
    """Seconds."""

    before: float
    loop: float
    after: float


def timed_run(address: str | None, steps: int) -> Times:
    with tempfile.TemporaryDirectory() as folder:
        more = [f"mongo={address}"] if address else []
        began = time.time()
        launch([*RUN, f"t_max={steps}", *more, f"local_results_path={folder}"])
        took = time.time() - began
        (path,) = Path(folder).glob("sacred/*/metrics.csv")
        with path.open(newline="") as file:
            logged = [float(row["seconds"]) for row in csv.DictReader(file)]
        after = time.time() - path.stat().st_mtime  # of the last value
    loop = logged[-1] - logged[0]
    return Times(took - loop - after, loop, after)


@contextmanager
def silent_server() -> Iterator[str]:
    """Takes connections and never answers."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield f"127.0.0.1:{listener.getsockname()[1]}:bench"


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--server", help="HOST:PORT of a MongoDB that may be written to")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--steps", type=int, default=1500)
    options = parser.parse_args()
    torch.set_num_threads(1)
    with silent_server() as silent:
        kinds = {"files alone": None, "not there": f"127.0.0.1:{free_port()}:bench"}
        kinds["hangs"] = silent
        if options.server:
            kinds["works"] = f"{options.server}:bench"
        timed_run(None, 200)  # the first of a process is slow
        rounds = [
            {kind: timed_run(address, options.steps) for kind, address in kinds.items()}
            for _ in range(options.rounds)
        ]
    sys.stdout.write(
        "| database | before | loop | loop / files alone | after |\n|---|---|---|---|---|\n"
    )
    for kind in kinds:
        before, loop, after = (statistics.median(r[kind][i] for r in rounds) for i in range(3))
        ratios = sorted(r[kind].loop / r["files alone"].loop for r in rounds)
        ratio = f"{statistics.median(ratios):.2f} ({ratios[0]:.2f} to {ratios[-1]:.2f})"
        sys.stdout.write(f"| {kind} | {before:.1f} s | {loop:.1f} s | {ratio} | {after:.1f} s |\n")


if __name__ == "__main__":
    main()
