"""How many environment steps a second Skirmish makes on one core, observations and all.

    python benchmarks/skirmish.py [--maps 3m corridor] [--fights 1 8 64] [--seconds 2]

Random available actions, drawn outside the clock; finished fights are reset inside it. Times are of
the processor, so a busy machine counts less. With `smaclite` or `jaxmarl` installed, the same maps
are stepped there too.
"""

from __future__ import annotations

import argparse
import importlib.util
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path

for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
    os.environ.setdefault(variable, "1")
sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "src"))

import numpy as np  # noqa: E402 - after the number of threads

from envs.build import make_batched  # noqa: E402

BARS = {"3m": 6500, "8m": 4000, "corridor": 2500, "27m_vs_30m": 1000}  # steps/s with 8 fights
MAPS = ("3m", "8m", "2s3z", "MMM", "corridor", "27m_vs_30m", "2c_vs_64zg")
Draw = Callable[[np.ndarray], np.ndarray]


def draw_actions(avail: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """(B, N) uniform over what is available."""
    return (avail * random.random(avail.shape, dtype=np.float32)).argmax(axis=2)


def steps_per_second(name: str, fights: int, seconds: float) -> float:
    """By the processor's clock, over at least `seconds` of it."""
    env = make_batched("skirmish", {"map_name": name}, fights)
    random, rows = np.random.default_rng(0), np.arange(fights)
    env.reset(rows, rows)
    seed, taken, spent = fights, 0, 0.0
    while spent < seconds:
        actions = draw_actions(env.avail, random)
        start = time.process_time()
        step = env.step(rows, actions)
        over = rows[step.ended]
        if len(over):
            env.reset(over, seed + over)
        spent += time.process_time() - start
        taken += fights
        seed += fights
    return taken / spent


def smaclite_rate(name: str, seconds: float) -> float:
    """SMAClite, one fight at a time, which is all it has."""
    import gymnasium
    import smaclite  # noqa: F401 - registers its environments

    env = gymnasium.make(f"smaclite/{name}-v0").unwrapped
    random = np.random.default_rng(0)
    env.reset()
    taken, spent = 0, 0.0
    while spent < seconds:
        avail = np.array(env.get_avail_actions())
        actions = draw_actions(avail[None], random)[0]
        start = time.process_time()
        _, _, ended, cut, _ = env.step(actions.tolist())
        env.get_avail_actions()
        env.get_state()
        if ended or cut:
            env.reset()
        spent += time.process_time() - start
        taken += 1
    return taken / spent


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--maps", nargs="+", default=MAPS)
    parser.add_argument("--fights", nargs="+", type=int, default=[1, 8, 64])
    parser.add_argument("--seconds", type=float, default=2.0, help="of processor time, for each")
    asked = parser.parse_args()
    peer = importlib.util.find_spec("smaclite") is not None
    heads = [*(f"{n} fights" for n in asked.fights), "bar (8 fights)"] + ["SMAClite"] * peer
    sys.stdout.write(f"| map | {' | '.join(heads)} |\n{'|---' * (len(heads) + 1)}|\n")
    for name in asked.maps:
        rates = [steps_per_second(name, fights, asked.seconds) for fights in asked.fights]
        cells = [f"{rate:,.0f}" for rate in rates]
        cells.append(f"{BARS[name]:,}" if name in BARS else "")
        if peer:
            cells.append(f"{smaclite_rate(name, asked.seconds):,.0f}")
        sys.stdout.write(f"| {name} | {' | '.join(cells)} |\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
