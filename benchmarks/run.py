"""Measures speed, beside the peers whose checkouts are given, in one table.

    python benchmarks/run.py kfacmac qmix --maps 3m MMM2 --peer-facmac PATH --peer-pymarl PATH

All that stands in one block ran in turn, in processes of their own, on one thread.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import sys
from functools import partial
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")

import startup
import transition_scope
import updates
from interleave import Case, in_turn, spread
from updates import MUJOCO, SMAC

PEERS = ("facmac", "pymarl")
BENCHMARKS = {  # what makes the cases, and the shapes they can have
    "kfacmac": (partial(updates.cases, "kfacmac_learner"), (*SMAC, *MUJOCO)),
    "kmaddpg": (partial(updates.cases, "kmaddpg_learner"), (*SMAC, *MUJOCO)),
    "qmix": (updates.q_cases, tuple(SMAC)),
    "transition": (transition_scope.cases, tuple(MUJOCO)),
    "startup": (startup.cases, ()),
}
HEAD = "| what | who | ms | spread | times as fast as the reference |\n|---|---|---|---|---|\n"


def measure(case: Case, rounds: int) -> list[dict[str, Any]]:
    """Medians of processor time. Several numbers for each job, and one row."""
    times = in_turn(case.jobs, rounds)
    medians = {label: statistics.median(each) for label, each in times.items()}
    reference = medians.get(case.reference)
    return [
        {
            "what": case.name,
            "who": label,
            "ms": 1000 * median,
            "spread": spread(times[label]),
            "ratio": reference / median if reference else None,
        }
        for label, median in medians.items()
    ]


def as_line(row: dict[str, Any]) -> str:
    ratio = "-" if row["ratio"] is None else f"{row['ratio']:.2f}x"
    cells = row["what"], row["who"], f"{row['ms']:.1f}", f"{100 * row['spread']:.0f} %", ratio
    return f"| {' | '.join(cells)} |\n"


def read_options() -> argparse.Namespace:
    assert __doc__ is not None
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="*", help=f"of {', '.join(BENCHMARKS)}; default all")
    parser.add_argument("--maps", nargs="+", help=f"of {', '.join((*SMAC, *MUJOCO))}; default all")
    for peer in PEERS:
        parser.add_argument(f"--peer-{peer}", help=f"a checkout of {peer} to measure beside ours")
    parser.add_argument("--rounds", type=int, default=5, help="at least 2")
    parser.add_argument("--json", type=Path, help="also write the rows here")
    options = parser.parse_args()
    unknown = set(options.names) - set(BENCHMARKS) | set(options.maps or ()) - {*SMAC, *MUJOCO}
    if unknown:
        parser.error(f"unknown: {', '.join(sorted(unknown))}; --help lists what there is")
    if options.rounds < 2:
        parser.error(f"--rounds {options.rounds} has no spread; type --rounds 2 or more")
    return options


def main() -> None:
    options = read_options()
    given = {peer: getattr(options, f"peer_{peer}") for peer in PEERS}
    peers = {peer: path for peer, path in given.items() if path}
    rows = []
    sys.stdout.write(HEAD)
    for name in options.names or BENCHMARKS:
        make, shapes = BENCHMARKS[name]
        wanted = [shape for shape in shapes if not options.maps or shape in options.maps]
        for case in make(wanted, peers):
            rows += (measured := measure(case, options.rounds))
            sys.stdout.writelines(map(as_line, measured))
            sys.stdout.flush()
            if options.json:
                options.json.write_text(json.dumps(rows, indent=1))


if __name__ == "__main__":
    main()
