"""How often Skirmish's scripted players win on each map, as a Markdown table.

    python benchmarks/skirmish_players.py [--maps 3m corridor] [--fights 200] [--difficulty 7]

Win rates in percent, and returns in brackets; the same seeds for every player.
"""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")
sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "src"))

import numpy as np

from envs.build import make_batched
from envs.skirmish.maps import MAPS, PAPER
from envs.skirmish.policies import POLICIES, play

CLASS = {name: label for label, names in PAPER.items() for name in names}


def cell(name: str, player: str, fights: int, difficulty: str) -> str:
    if player == "choke" and MAPS[name].choke is None:
        return ""
    env = make_batched("skirmish", {"map_name": name, "difficulty": difficulty}, fights)
    won, returns = play(env, POLICIES[player], np.arange(fights))  # type: ignore[arg-type]
    return f"{100 * won.mean():.0f} ({returns.mean():.1f})"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--maps", nargs="+", default=list(MAPS))
    parser.add_argument("--fights", type=int, default=200)
    parser.add_argument("--difficulty", default="7")
    asked = parser.parse_args()
    sys.stdout.write(f"| map | SMAC paper | {' | '.join(POLICIES)} |\n")
    sys.stdout.write("|---" * (len(POLICIES) + 2) + "|\n")
    for name in asked.maps:
        cells = [cell(name, player, asked.fights, asked.difficulty) for player in POLICIES]
        sys.stdout.write(f"| {name} | {CLASS.get(name, '')} | {' | '.join(cells)} |\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
