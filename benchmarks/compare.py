"""Measures speed, beside the peers whose checkouts are given, in one table.

    python benchmarks/compare.py kfacmac qmix --maps 3m MMM2 --peer-facmac PATH --peer-pymarl PATH

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

import growth
import loop
import mappo
import parallel
import rates
import rollout
import startup
import team_acting
import team_updates
import transition_scope
import turns
import updates
from interleave import UNITS, Case, checkout, in_turn, spread
from problems import FULL, MUJOCO, ROOT, SMAC
from seen import seen

PEERS = ("facmac", "pymarl", "epymarl", "harl", "jaxmarl", "mat")
SHAPES = (*SMAC, "8m", *mappo.ALONE, *FULL, *MUJOCO)
BENCHMARKS = {  # what makes the cases, and the shapes they can have
    "kfacmac": (partial(updates.cases, "kfacmac_learner"), (*SMAC, *MUJOCO)),
    "kmaddpg": (partial(updates.cases, "kmaddpg_learner"), (*SMAC, *MUJOCO)),
    "qmix": (partial(updates.single_cases, "q_learner", "pymarl", "PyMARL"), (*SMAC, *FULL)),
    "maddpg": (
        partial(updates.single_cases, "maddpg_learner", "epymarl", "EPyMARL"),
        ("3m", "corridor", *FULL),
    ),
    "mappo": (mappo.loops, mappo.LOOPS),
    "mappo-update": (mappo.updates, ("3m", "2s3z", "MMM2")),
    "turns": (turns.cases, ("3m", "2s3z", "MMM2")),
    "teams": (team_updates.cases, ("3m", "MMM2")),
    "loop": (loop.cases, ("3m", "2s3z")),
    "rollout": (rollout.cases, ("3m",)),
    "parallel": (parallel.cases, ("3m",)),
    "acting": (team_acting.cases, ("8m",)),
    "growth": (growth.cases, ("corridor",)),
    "transition": (transition_scope.cases, tuple(MUJOCO)),
    "startup": (startup.cases, ()),
}
HEAD = "| what | who | figure | spread | times as fast as the reference |\n|---|---|---|---|---|\n"


def measure(case: Case, rounds: int) -> list[dict[str, Any]]:
    """Medians of processor time, or of whatever the jobs measure. One row for each job."""
    figures = in_turn(case.jobs, rounds)
    medians = {label: statistics.median(each) for label, each in figures.items()}
    reference = medians.get(case.reference)
    rows = [
        {
            "what": case.name,
            "who": label,
            "figure": UNITS[case.unit](median),
            "unit": case.unit,
            "spread": spread(figures[label]),
            "ratio": reference / median if reference else None,
        }
        for label, median in medians.items()
    ]
    found = case.findings(medians).items()
    return rows + [
        {
            "what": case.name,
            "who": label,
            "figure": figure,
            "unit": "",
            "spread": None,
            "ratio": None,
        }
        for label, figure in found
    ]


def as_line(row: dict[str, Any]) -> str:
    figure, unit = row["figure"], row["unit"]
    digits = f"{figure:,.0f}" if figure >= 1000 else f"{figure:.1f}" if unit else f"{figure:.2f}"
    ratio = "-" if row["ratio"] is None else f"{row['ratio']:.2f}x"
    spread_of = "-" if row["spread"] is None else f"{100 * row['spread']:.0f} %"
    return f"| {' | '.join((row['what'], row['who'], f'{digits} {unit}', spread_of, ratio))} |\n"


def read_options() -> argparse.Namespace:
    assert __doc__ is not None
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="*", help=f"of {', '.join(BENCHMARKS)}; default all")
    parser.add_argument("--maps", nargs="+", help=f"of {', '.join(SHAPES)}; default all")
    for peer in PEERS:
        parser.add_argument(
            f"--peer-{peer}", type=checkout, help=f"a checkout of {peer} to measure beside ours"
        )
    parser.add_argument("--rounds", type=int, default=5, help="at least 2")
    parser.add_argument("--json", type=Path, help="also write the rows here")
    options = parser.parse_args()
    unknown = set(options.names) - set(BENCHMARKS) | set(options.maps or ()) - set(SHAPES)
    if unknown:
        parser.error(f"unknown: {', '.join(sorted(unknown))}; --help lists what there is")
    for name in options.names if options.maps else ():
        shapes = BENCHMARKS[name][1]
        if shapes and not set(options.maps) & set(shapes):
            parser.error(f"{name} has none of these --maps; it has {', '.join(shapes)}")
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
    sys.path.insert(0, str(ROOT / "src"))
    sys.stdout.write(f"\n{seen()} {rates.in_words()}\n")


if __name__ == "__main__":
    main()
