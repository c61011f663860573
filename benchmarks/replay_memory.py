"""How much memory replay takes, beside PyMARL's layout.

    python benchmarks/replay_memory.py [--peer PATH_TO_A_PYMARL_CHECKOUT] [--episodes 100]

PyMARL's figure follows from its scheme: every field of every slot up to the limit, the one-hots and
the filled marks included. With --peer it is also measured on that checkout's own buffer. Ours is
measured twice, by the buffer's own count and by the growth of this process, while it is filled with
made-up battles in SMAC's layout of observations; a fraction of 5,000 episodes is filled, the rest
scaled. How much is saved beyond unfilled steps depends on the share of zeros in the data, so the
table states it, and beside it what our layout would take if nothing were ever zero.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")
sys.path.insert(0, str(Path(__file__).parents[1] / "src"))

import numpy as np
import torch

from components.episode_buffer import EpisodeBatch, ReplayBuffer
from components.scheme import field_shape
from components.transforms import OneHot

CAPACITY = 5000
TYPICAL = 0.4  # of the limit; most SMAC fights end long before it
SIGHT, REACH = 9.0, 6.0  # in the units of SMAC's 32 x 32 maps

Array = np.ndarray


@dataclass(frozen=True)
class Map:
    """A SMAC map; `*_extra` is what a unit's features hold beside position and health."""

    name: str
    limit: int
    allies: int
    enemies: int
    actions: int
    ally_extra: int  # shield or unit type
    enemy_extra: int

    @property
    def obs(self) -> int:
        moves, own = 4, 1 + self.ally_extra
        seen = self.enemies * (5 + self.enemy_extra) + (self.allies - 1) * (5 + self.ally_extra)
        return moves + seen + own

    @property
    def state(self) -> int:
        units = self.allies * (4 + self.ally_extra) + self.enemies * (3 + self.enemy_extra)
        return units + self.allies * self.actions  # the last: everybody's last action


MAPS = (
    Map("corridor", 400, 6, 24, 30, ally_extra=1, enemy_extra=0),
    Map("MMM2", 180, 10, 12, 18, ally_extra=3, enemy_extra=3),
    Map("27m_vs_30m", 180, 27, 30, 36, ally_extra=0, enemy_extra=0),
)


def scheme(m: Map) -> dict[str, dict[str, Any]]:
    agents = {"group": "agents"}
    return {
        "state": {"vshape": m.state},
        "obs": {"vshape": m.obs, **agents},
        "actions": {"vshape": (1,), "dtype": torch.long, **agents},
        "avail_actions": {"vshape": (m.actions,), "dtype": torch.int, **agents},
        "reward": {"vshape": (1,)},
        "terminated": {"vshape": (1,), "dtype": torch.uint8},
    }


# Made-up battles


def units(n: int, steps: int, side: float, rng: np.random.Generator) -> tuple[Array, Array]:
    """Positions (T, n, 2) and health (T, n): march to the middle, then die at different times."""
    start = np.array([16 + 9 * side, 16]) + rng.normal(0, 2, (n, 2))
    march = np.minimum(np.arange(steps) / (0.3 * steps), 1)[:, None, None]
    goal = np.array([16 + 2 * side, 16]) + rng.normal(0, 3, (n, 2))
    place = start + march * (goal - start) + rng.normal(0, 0.3, (steps, n, 2))
    hit, dead = rng.uniform(0.3, 0.9, n), rng.uniform(0.5, 1.4, n)  # shares of the episode
    time_left = (np.arange(steps)[:, None] / steps - hit) / np.maximum(dead - hit, 0.1)
    return place, np.clip(1 - time_left, 0, 1)


def seen_by(place: Array, others: Array, other_health: Array, extra: int) -> Array:
    """(T, n, m, 5 + extra) features of m units, zeros where dead or out of sight."""
    offset = others[:, None] - place[:, :, None]  # (T, n, m, 2)
    distance = np.linalg.norm(offset, axis=-1, keepdims=True)
    within = (distance < REACH).astype(float)
    health = np.broadcast_to(other_health[:, None, :, None], distance.shape)
    features = [within, distance / SIGHT, offset / SIGHT, health, types(health, extra)]
    visible = (distance < SIGHT) & (health > 0)
    return np.concatenate(features, axis=-1) * visible


def types(health: Array, extra: int) -> Array:
    """The last features: a shield that goes first, or the one-hot of a unit's type."""
    if extra == 1:
        return np.clip(2 * health - 1, 0, 1)
    n_units = health.shape[-2]
    kinds = np.arange(n_units) * max(extra, 1) // n_units  # as many of each
    return np.broadcast_to(np.eye(extra or 1)[kinds], (*health.shape[:-1], extra or 1))[..., :extra]


def battle(m: Map, steps: int, rng: np.random.Generator) -> dict[str, Array]:
    """One episode of `steps` slots in SMAC's layout, as fields of shape (1, T, ...)."""
    ally, ally_health = units(m.allies, steps, -1, rng)
    enemy, enemy_health = units(m.enemies, steps, 1, rng)
    alive = (ally_health > 0)[:, :, None]  # (T, N, 1)
    enemies = seen_by(ally, enemy, enemy_health, m.enemy_extra)
    allies = seen_by(ally, ally, ally_health, m.ally_extra)
    others = ~np.eye(m.allies, dtype=bool)
    allies = allies[:, others].reshape(steps, m.allies, m.allies - 1, -1)
    moves = rng.random((steps, m.allies, 4)) < 0.95
    own = np.concatenate([ally_health[..., None], types(ally_health[..., None], m.ally_extra)], -1)
    flat = (steps, m.allies, -1)
    obs = np.concatenate([moves, enemies.reshape(flat), allies.reshape(flat), own], -1) * alive

    avail = np.zeros((steps, m.allies, m.actions), bool)
    targets = min(m.enemies, m.actions - 6)
    avail[:, :, 1:2], avail[:, :, 2:6] = alive, moves & alive
    avail[:, :, 6 : 6 + targets] = enemies[:, :, :targets, 0] * alive
    avail[:, :, :1] = ~alive
    actions = (avail * rng.random(avail.shape)).argmax(-1)  # (T, N)
    last = np.eye(m.actions)[actions] * (np.arange(steps) > 0)[:, None, None]
    cooldown = rng.random((steps, m.allies, 1)) * (rng.random((steps, m.allies, 1)) < 0.5)
    ally_rows = np.concatenate([own[..., :1], cooldown, ally / 32 - 0.5, own[..., 1:]], -1) * alive
    enemy_own = enemy_health[..., None]
    enemy_rows = np.concatenate([enemy_own, enemy / 32 - 0.5, types(enemy_own, m.enemy_extra)], -1)
    enemy_rows = enemy_rows * (enemy_own > 0)
    state = np.concatenate([part.reshape(steps, -1) for part in (ally_rows, enemy_rows, last)], 1)
    reward = rng.random(steps) * (rng.random(steps) < 0.6)
    terminated = np.arange(steps) == steps - 2
    fields = {"state": state, "obs": obs, "actions": actions, "avail_actions": avail}
    fields |= {"reward": reward, "terminated": terminated}
    return {key: value[None] for key, value in fields.items()}


def episodes(m: Map, n: int, fill: float) -> Iterator[EpisodeBatch]:
    """Battles of the same length on average as `fill` says, between half and 1.5 times that."""
    rng = np.random.default_rng(0)
    spread = np.linspace(0.5, 1.5, n) if fill < 1 else np.ones(n)
    for factor in spread:
        steps = round(factor * fill * m.limit) + 1
        batch = EpisodeBatch(scheme(m), {"agents": m.allies}, 1, m.limit + 1, None, preprocess(m))
        batch.update(battle(m, steps, rng), ts=slice(0, steps))
        yield batch


def preprocess(m: Map) -> dict[str, Any]:
    return {"actions": ("actions_onehot", [OneHot(m.actions)])}


# Measuring


@dataclass
class Measured:
    per_step: float
    total: float  # bytes for CAPACITY episodes, by the buffer's count
    total_process: float  # the same by the growth of the process
    zeros: float  # share of zeros among observations and state
    sample_ms: float  # to draw 32 episodes


def measure(m: Map, n: int, fill: float) -> Measured:
    buffer = ReplayBuffer(scheme(m), {"agents": m.allies}, CAPACITY, m.limit + 1, preprocess(m))
    for _ in episodes(m, 5, 1.0):  # so that what making battles takes is not counted as ours
        pass
    before, steps, zeros, numbers = resident_bytes(), 0, 0, 0
    for batch in episodes(m, n, fill):
        buffer.insert_episode_batch(batch)
        filled = batch.max_t_filled()
        steps += filled
        for values in (batch["obs"][:, :filled], batch["state"][:, :filled]):
            zeros += int((values == 0).sum())
            numbers += values.numel()
    grown = resident_bytes() - before
    scale = CAPACITY / n
    return Measured(
        per_step=buffer.bytes_used() / steps,
        total=buffer.bytes_used() * scale,
        total_process=grown * scale,
        zeros=zeros / numbers,
        sample_ms=milliseconds(lambda: buffer.sample(min(32, n))),
    )


def resident_bytes() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def milliseconds(call: Any, times: int = 7) -> float:
    """The median over some calls."""
    taken = []
    for _ in range(times):
        start = time.process_time()
        call()
        taken.append(time.process_time() - start)
    return 1000 * float(np.median(taken))


def pymarl_bytes_per_slot(m: Map) -> int:
    """Every field at its own dtype, with one-hots and filled marks (contract of the scheme)."""
    fields = {
        **scheme(m),
        "actions_onehot": {"vshape": (m.actions,), "group": "agents"},
        "filled": {"vshape": (1,), "dtype": torch.long},
    }
    return sum(
        int(np.prod(field_shape(key, info, {"agents": m.allies})))
        * info.get("dtype", torch.float32).itemsize
        for key, info in fields.items()
    )


PEER = """
import json, sys, time
import numpy as np, torch
from components.episode_buffer import ReplayBuffer
from components.transforms import OneHot
N, S, O, A, slots, n = map(int, sys.argv[1:])
agents = {"group": "agents"}
scheme = {
    "state": {"vshape": S}, "obs": {"vshape": O, **agents},
    "actions": {"vshape": (1,), "dtype": torch.long, **agents},
    "avail_actions": {"vshape": (A,), "dtype": torch.int, **agents},
    "reward": {"vshape": (1,)}, "terminated": {"vshape": (1,), "dtype": torch.uint8},
}
buffer = ReplayBuffer(scheme, {"agents": N}, n, slots,
                      preprocess={"actions": ("actions_onehot", [OneHot(out_dim=A)])})
tensors = buffer.data.transition_data.values()
for tensor in tensors:
    tensor.fill_(1)
buffer.episodes_in_buffer = n
taken = []
for _ in range(7):
    start = time.process_time()
    buffer.sample(32)
    taken.append(time.process_time() - start)
print(json.dumps({"bytes": sum(t.numel() * t.element_size() for t in tensors) / n,
                  "sample_ms": 1000 * float(np.median(taken))}))
"""


def measure_peer(m: Map, checkout: Path, n: int = 40) -> dict[str, float]:
    """Bytes per episode and sampling time of the checkout's own buffer, in its own process."""
    sizes = [m.allies, m.state, m.obs, m.actions, m.limit + 1, n]
    run = subprocess.run(
        [sys.executable, "-c", PEER, *map(str, sizes)],
        env={**os.environ, "PYTHONPATH": str(checkout / "src"), "PYTHONWARNINGS": "ignore"},
        capture_output=True,
        text=True,
        check=False,
    )
    if run.returncode:
        sys.exit(f"The buffer in {checkout} could not be measured:\n{run.stderr}")
    return json.loads(run.stdout.splitlines()[-1])


COLUMNS = (
    "map",
    "length",
    "zeros",
    "PyMARL B/step",
    "ours B/step",
    "PyMARL total",
    "ours total",
    "by process size",
    "ratio",
    "ratio without zeros",
    "PyMARL sample",
    "our sample",
)


def row(m: Map, fill: float, n: int, checkout: Path | None) -> str:
    peer = measure_peer(m, checkout) if checkout else None
    theirs = pymarl_bytes_per_slot(m) * (m.limit + 1)
    if peer and peer["bytes"] != theirs:
        sys.exit(f"{m.name}: the checkout stores {peer['bytes']} bytes per episode, not {theirs}.")
    ours = measure(m, n, fill)
    dense = ReplayBuffer(scheme(m), {"agents": m.allies}, CAPACITY, m.limit + 1, preprocess(m))
    worst = dense.bytes_when_full(fill)
    cells = [
        m.name,
        "full" if fill == 1 else f"{fill:.0%}",
        f"{ours.zeros:.0%}",
        f"{pymarl_bytes_per_slot(m):,}",
        f"{ours.per_step:,.0f}",
        f"{theirs * CAPACITY / 1e9:.1f} GB",
        f"{ours.total / 1e9:.2f} GB",
        f"{ours.total_process / 1e9:.2f} GB",
        f"{ours.total / (theirs * CAPACITY):.2f}",
        f"{worst / (theirs * CAPACITY):.2f}",
        f"{peer['sample_ms']:.0f} ms" if peer else "",
        f"{ours.sample_ms:.0f} ms",
    ]
    return f"| {' | '.join(cells)} |"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--peer", type=Path, help="a checkout of PyMARL to measure beside ours")
    parser.add_argument("--episodes", type=int, default=100, help="how many to really fill")
    asked = parser.parse_args()
    torch.set_num_threads(1)
    lines = [f"| {' | '.join(COLUMNS)} |", "|---" * len(COLUMNS) + "|"]
    lines += [row(m, fill, asked.episodes, asked.peer) for m in MAPS for fill in (1.0, TYPICAL)]
    sys.stdout.write("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
