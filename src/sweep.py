"""PyMARL-K's sweeps: `python src/sweep.py --config=A,B --env-config=C,D with seed=1..4 key=1,2`."""

import sys

import utils.prerequisites  # noqa: F401  # before anything that an old Python cannot read
from cli import guarded, sweep

if __name__ == "__main__":
    sys.exit(guarded(sweep, sys.argv[1:]))
