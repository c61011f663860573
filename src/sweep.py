"""PyMARL-K's sweeps: `python src/sweep.py --config=A,B --env-config=C,D with seed=1..4 key=1,2`."""

from __future__ import annotations

import sys

from main import guarded

USAGE = """\
Sweeps: every combination of algorithms, environments, seeds and any settings

  python src/sweep.py --config=A,B --env-config=C,D with seed=1..4 lr=0.001,0.0005 t_max=100000
  python src/sweep.py FILE.yaml with seed=5..8

  A,B            several values, separated by commas; commas in [..] or quotes separate nothing
  1..4           1,2,3,4
  FILE.yaml      the same in a file: config, env-config, with, and the options below, as name: value
  --dry-run      print the runs and which of them are there already
  --name=NAME    folder of the sweep in results/sweeps; else made of algorithms and environments
  --address=A    of a Ray cluster, as 10.0.0.1:6379 or auto; else this machine
  --cpus=1       cores of each run
  --gpus=0       GPUs of each run; 0.25 lets four share one
  --memory=2GB   memory of each run; else what earlier runs like it took; 0 leaves it out
  --retries=2    how often a run that fails is tried again, from its last checkpoint

The same command plays only what is missing. docs/sweeps.md says more.
"""


def main(argv: list[str]) -> int:
    if "--help" in argv or "-h" in argv or not argv:
        sys.stdout.write(USAGE)
        return 0
    from sweeps.drive import sweep

    return sweep(argv)


if __name__ == "__main__":
    sys.exit(guarded(main, sys.argv[1:]))
