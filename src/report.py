"""Curves, tables and intervals of many runs: `python src/report.py --help`."""

import sys

import utils.prerequisites  # noqa: F401  # before anything that an old Python cannot read
from cli import guarded, report

if __name__ == "__main__":
    sys.exit(guarded(report, sys.argv[1:]))
