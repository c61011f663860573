"""Walking, making room for each other, and not walking through walls."""

from __future__ import annotations

import numpy as np

from envs.batched import Array
from envs.skirmish.fights import Fights
from envs.skirmish.plan import STANDING, Plan
from envs.skirmish.terrain import Terrain

PUSH_MOST = 0.25  # cells a loop that others can push a unit, along each axis


def walk(f: Fights, plan: Plan, offset: Array, distance: Array, outside: Array) -> Array:
    """Where the units would get to in this loop (2, n, U); `offset` is from place to aim."""
    pace = plan.pace * outside
    return f.place + offset * (pace / np.maximum(distance, plan.floor))


def make_room(plan: Plan, wanted: Array, outside: Array) -> None:
    """Push touching units apart in `wanted`; who walks gives way most, the rooted never."""
    one, other = plan.pairs
    flat = wanted.reshape(2, -1)
    offset = flat.take(other, axis=1) - flat.take(one, axis=1)  # (2, pairs)
    square = offset[0] * offset[0] + offset[1] * offset[1]
    touching = np.flatnonzero(square < plan.room * plan.room)
    if not len(touching):
        return
    one, other = one.take(touching), other.take(touching)
    offset = offset.take(touching, axis=1)
    distance = np.maximum(np.sqrt(square.take(touching)), 1e-3)
    weight = np.maximum(outside & (plan.pace > 0), plan.gives).reshape(-1)
    weight_one, weight_other = weight.take(one), weight.take(other)
    push = offset * ((plan.room.take(touching) - distance) / distance)
    push /= np.maximum(weight_one + weight_other, STANDING)  # 0 for two that are rooted
    moved = np.concatenate([one, other])
    by = np.concatenate([push * -weight_one, push * weight_other], axis=1)
    for axis in (0, 1):
        total = np.bincount(moved, by[axis], minlength=flat.shape[1])
        flat[axis] += np.minimum(np.maximum(total, -PUSH_MOST), PUSH_MOST).astype(np.float32)


def settle(f: Fights, wanted: Array, terrain: Terrain) -> None:
    """Move the units to `wanted`, or along one axis, or not at all, as the ground allows."""
    if terrain.is_open(wanted, f.layer).all():
        f.place[...] = wanted
        return
    only_x = np.stack([wanted[0], f.y])
    only_y = np.stack([f.x, wanted[1]])
    best = f.place.copy()
    for choice in (only_y, only_x, wanted):
        best = np.where(terrain.is_open(choice, f.layer), choice, best)
    f.place[...] = best
