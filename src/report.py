"""Curves, tables and intervals of many runs: `python src/report.py --help`."""

from __future__ import annotations

import sys

from reporting.command import run

if __name__ == "__main__":
    sys.exit(run(sys.argv[1:]))
