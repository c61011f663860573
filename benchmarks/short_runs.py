"""Many short runs, each in a process that imports all by itself, and each forked from a warm one.

Both ways are those of a sweep's worker (`sweeps.task.play`), one run at a time on one core. Every
run has its own folder, record and checkpoint.

    python benchmarks/short_runs.py [RUNS]
"""

from __future__ import annotations

import os
import resource
import sys
import tempfile
import time
from pathlib import Path

SRC = Path(__file__).resolve().parents[1] / "src"
sys.path.insert(0, str(SRC))
os.environ["OMP_NUM_THREADS"] = "1"

from sweeps.task import Job, play  # noqa: E402

WORDS = ("--env-config=team_game", "with", "agent=mlp", "rnn_hidden_dim=32", "testing_on=False")
SIZES = {
    "20 rounds of 64 moves": ("batch_size_run=64", "t_max=1279", "curve_interval=64"),
    "40 rounds of 128 moves": ("batch_size_run=128", "t_max=5119", "curve_interval=128"),
}


def seconds(sizes: tuple[str, ...], runs: int, warm: bool) -> tuple[float, float]:
    """Of one run on the clock and on processors, after a first one that is not counted."""
    with tempfile.TemporaryDirectory() as folder:
        root, began, used = Path(folder), 0.0, 0.0
        for seed in range(runs + 1):
            if seed == 1:
                began, used = time.perf_counter(), of_children()
            pages = root / "pages" / str(seed)
            pages.mkdir(parents=True)
            place = f"local_results_path={root}"
            words = ("--config=kmappo_round", *WORDS, *sizes, f"seed={seed}", place)
            play(Job(words, "", 1, pages, root, folder, goes_on=False, warm=warm))
        return (time.perf_counter() - began) / runs, (of_children() - used) / runs


def of_children() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def main(runs: int) -> None:
    sys.stdout.write(f"seconds a run, mean of {runs}\n")
    for name, sizes in SIZES.items():
        for warm in (True, False):
            clock, cores = seconds(sizes, runs, warm)
            how = "forked" if warm else "started anew"
            sys.stdout.write(f"{name:<24}{how:<14}{clock:6.2f} on the clock {cores:6.2f} of CPU\n")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 5)
