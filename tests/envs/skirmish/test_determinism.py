"""The same seed and actions give the same fight, bit for bit, alone and in any batch."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from envs.build import make_batched
from envs.skirmish.maps import MAPS
from tests.envs.skirmish.support import random_actions

GENERATED = {
    "10gen_terran": (1, 7),  # 7 draws no medivac, so that others' fights have faster units
    "10gen_protoss": (1, 2),
    "10gen_zerg": (1, 2),
}
SCENARIOS = [(name, 5) for name in MAPS]
SCENARIOS += [(name, seed) for name, seeds in GENERATED.items() for seed in seeds]


def begun(name: str, n_envs: int) -> Any:
    settings: dict[str, Any] = {"map_name": name}
    if name in GENERATED:
        settings["capability_config"] = {"n_units": 20, "n_enemies": 20}
        return make_batched("skirmish_v2", settings, n_envs)
    return make_batched("skirmish", settings, n_envs)


def record(name: str, seed: int, n_envs: int, row: int, steps: int = 30) -> list[np.ndarray]:
    """All that one row shows; the others play other fights, pause, and start anew at any time."""
    env = begun(name, n_envs)
    mine, noise = np.random.default_rng(seed), np.random.default_rng(n_envs)
    seeds = noise.integers(10**6, size=n_envs)
    seeds[row] = seed
    env.reset(np.arange(n_envs), seeds)
    shown = [env.obs[row].copy(), env.state[row].copy()]
    for t in range(steps):
        playing = (noise.random(n_envs) > 0.02 * (t % 3)) | (np.arange(n_envs) == row)
        rows = np.flatnonzero(playing)
        actions = random_actions(env, rows, noise)
        actions[rows == row] = random_actions(env, np.array([row]), mine)
        step = env.step(rows, actions)
        shown += [env.obs[row].copy(), env.state[row].copy(), env.avail[row].copy()]
        shown += [step.reward[rows == row], env.fights.numbers[:, row].copy()]
        if step.ended[rows == row].any():
            break
        again = noise.random(len(rows)) < 0.05
        over = rows[(step.ended | again) & (rows != row)]
        if len(over):
            env.reset(over, noise.integers(10**6, size=len(over)))
    return shown


@pytest.mark.parametrize(("name", "seed"), SCENARIOS)
def test_a_fight_is_the_same_alone_and_in_any_batch(name: str, seed: int) -> None:
    alone = record(name, seed, n_envs=1, row=0)
    few = record(name, seed, n_envs=3, row=2)
    many = record(name, seed, n_envs=20, row=17)

    assert len(alone) == len(few) == len(many)
    for one, other, third in zip(alone, few, many, strict=True):
        np.testing.assert_array_equal(one, other)
        np.testing.assert_array_equal(one, third)


def test_other_seeds_are_other_fights() -> None:
    assert any(
        not np.array_equal(one, other)
        for one, other in zip(record("3m", 1, 1, 0), record("3m", 2, 1, 0), strict=False)
    )


def test_a_reset_forgets_the_fight_before() -> None:
    env: Any = make_batched("skirmish", {"map_name": "2s3z"}, 1)
    row, seed = np.arange(1), np.array([3])
    env.reset(row, seed)
    first = env.fights.numbers.copy(), env.state.copy()
    random = np.random.default_rng(0)
    for _ in range(15):
        env.step(row, random_actions(env, row, random))
    env.reset(row, seed)

    np.testing.assert_array_equal(first[0], env.fights.numbers)
    np.testing.assert_array_equal(first[1], env.state)
    assert env.t[0] == 0


def test_rows_may_come_in_any_order() -> None:
    in_order: Any = make_batched("skirmish", {"map_name": "8m"}, 3)
    shuffled: Any = make_batched("skirmish", {"map_name": "8m"}, 3)
    rows, order = np.arange(3), np.array([2, 0, 1])
    in_order.reset(rows, rows + 7)
    shuffled.reset(order, order + 7)
    random = np.random.default_rng(0)
    for _ in range(20):
        actions = random_actions(in_order, rows, random)
        one, other = in_order.step(rows, actions), shuffled.step(order, actions[order])
        np.testing.assert_array_equal(one.reward[order], other.reward)
        np.testing.assert_array_equal(in_order.obs, shuffled.obs)
