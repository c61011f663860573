"""Random steps on each map, sixteen hundred or more: what must hold in every one of them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from envs.build import make_batched
from envs.skirmish.fights import CHANGING, LAYERS
from envs.skirmish.maps import MAPS, SIZE
from tests.envs.skirmish.support import random_actions

FIGHTS, STEPS = 16, 100


class Watch:
    """Looks at all fights before and after each step."""

    def __init__(self, env: Any) -> None:
        self.env, self.f = env, env.fights
        self.most = env.get_env_info()["max_reward"]
        self.sums = np.zeros(FIGHTS)
        self.regained = np.zeros(FIGHTS)  # life and shields that the enemies got back
        self.remember()

    def remember(self) -> None:
        self.before = self.f.numbers[: len(CHANGING)].copy()
        self.strength = (self.f.health + self.f.shield)[:, self.f.n_agents :].copy()

    def begin(self, rows: np.ndarray) -> None:
        self.sums[rows], self.regained[rows] = 0, 0
        self.remember()

    def check(self, rows: np.ndarray, step: Any) -> None:
        f, env = self.f, self.env
        was_dead = self.before[LAYERS["health"]] <= 0
        now = f.numbers[: len(CHANGING)]
        assert np.isfinite(f.numbers).all()
        assert np.isfinite(env.obs).all()
        assert np.isfinite(env.state).all()
        for layer in ("x", "y", "health", "shield", "energy"):
            assert (now[LAYERS[layer]][was_dead] == self.before[LAYERS[layer]][was_dead]).all()
        assert (f.health >= 0).all()
        assert (f.health <= f.life).all()
        assert (f.shield >= 0).all()
        assert (f.shield <= f.shield_max).all()
        assert (f.energy >= 0).all()
        assert (f.energy <= 200).all()
        assert ((f.place >= 0) & (f.place < SIZE)).all()
        x, y = f.place.astype(np.int64)
        assert (env.scenario.terrain.cells[y, x] | (f.layer > 0)).all(), "in a wall"
        assert env.avail.any(axis=2).all()
        gained = (f.health + f.shield)[:, f.n_agents :] - self.strength
        self.regained += np.maximum(gained, 0).sum(axis=1)
        self.sums[rows] += step.reward
        # SMAC pays for what the enemies get back, and then for taking it from them again.
        bound = 20 * (1 + 2 * self.regained / self.most)
        assert (self.sums <= bound + 1e-3).all()
        assert (step.reward >= 0).all()
        self.remember()


@pytest.mark.parametrize("name", MAPS)
def test_random_fights_stay_within_the_rules(name: str) -> None:
    env: Any = make_batched("skirmish", {"map_name": name}, FIGHTS)
    rows, random = np.arange(FIGHTS), np.random.default_rng(1)
    env.reset(rows, rows)
    watch, ended = Watch(env), 0
    for _ in range(STEPS):
        step = env.step(rows, random_actions(env, rows, random))
        watch.check(rows, step)
        over = rows[step.ended]
        ended += len(over)
        if len(over):
            env.reset(over, random.integers(2**31, size=len(over)))
            watch.begin(over)
    assert ended > 0 or env.get_env_info()["episode_limit"] > STEPS
