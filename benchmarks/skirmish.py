"""How many environment steps a second Skirmish makes on one core, observations and all.

    python benchmarks/skirmish.py [--maps 3m corridor] [--fights 1 8 64] [--seconds 2]

Random available actions, drawn outside the clock; finished fights are reset inside it. Times are of
the processor, so a busy machine counts less. JaxMARL's SMAX and SMAClite stand beside it where they
are installed (`pip install -r requirements/smax.txt`; SMAClite from its repository).
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from pathlib import Path
from typing import Any

for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
    os.environ.setdefault(variable, "1")
sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "src"))

# One core for JAX, too.
os.environ.setdefault(
    "XLA_FLAGS", "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1"
)

import numpy as np  # noqa: E402 - after the number of threads

from envs.build import make_batched  # noqa: E402
from utils.errors import UserError  # noqa: E402

BARS = {"3m": 6500, "8m": 4000, "corridor": 2500, "27m_vs_30m": 1000}  # steps/s with 8 fights
MAPS = ("3m", "8m", "2s3z", "MMM", "corridor", "27m_vs_30m", "2c_vs_64zg")


def draw_actions(avail: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """(B, N) uniform over what is available."""
    return (avail * random.random(avail.shape, dtype=np.float32)).argmax(axis=2)


def steps_per_second(engine: str, name: str, fights: int, seconds: float) -> float:
    """By the processor's clock, over at least `seconds` of it; engine: skirmish or smax."""
    env = make_batched(engine, {"map_name": name}, fights)
    random, rows = np.random.default_rng(0), np.arange(fights)
    env.reset(rows, rows)
    if engine == "smax":  # what is compiled once does not count
        env.step(rows, draw_actions(env.avail, random))
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


def of_smax(name: str, fights: int, seconds: float) -> str:
    """Its steps a second, or nothing where it, or the map in it, does not exist."""
    try:
        return f"{steps_per_second('smax', name, fights, seconds):,.0f}"
    except UserError:
        return "-"


def of_smaclite(name: str, seconds: float) -> str:
    """The same; SMAClite steps one fight at a time."""
    try:
        import gymnasium
        import smaclite  # noqa: F401 - registers its environments
    except ImportError:
        return "-"
    if f"smaclite/{name}-v0" not in gymnasium.registry:
        return "-"
    env: Any = gymnasium.make(f"smaclite/{name}-v0").unwrapped
    random = np.random.default_rng(0)
    env.reset(seed=0)
    taken, spent = 0, 0.0
    while spent < seconds:
        avail = np.array(env.get_avail_actions())[None]
        actions = draw_actions(avail, random)[0].tolist()
        start = time.process_time()
        _, _, terminated, truncated, _ = env.step(actions)
        if terminated or truncated:
            env.reset()
        spent += time.process_time() - start
        taken += 1
    return f"{taken / spent:,.0f}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--maps", nargs="+", default=MAPS)
    parser.add_argument("--fights", nargs="+", type=int, default=[1, 8, 64])
    parser.add_argument("--seconds", type=float, default=2.0, help="of processor time, for each")
    asked = parser.parse_args()
    heads = [*(f"{n} fights" for n in asked.fights), "bar (8 fights)"]
    heads += [*(f"SMAX, {n}" for n in asked.fights), "SMAClite, 1"]
    sys.stdout.write(f"| map | {' | '.join(heads)} |\n{'|---' * (len(heads) + 1)}|\n")
    for name in asked.maps:
        rates = [steps_per_second("skirmish", name, n, asked.seconds) for n in asked.fights]
        cells = [f"{rate:,.0f}" for rate in rates]
        cells.append(f"{BARS[name]:,}" if name in BARS else "")
        cells += [of_smax(name, n, asked.seconds) for n in asked.fights]
        cells.append(of_smaclite(name, asked.seconds))
        sys.stdout.write(f"| {name} | {' | '.join(cells)} |\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
