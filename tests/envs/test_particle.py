"""Predator-prey against FACMAC's rules, written down once more, one disc at a time."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from envs.build import make_batched, make_env
from envs.particle.world import SCENARIOS
from tests.pairs import every_pair
from utils.errors import UserError


class Disc:
    """One entity."""

    def __init__(self, place: Any, radius: float, top_speed: float | None) -> None:
        self.place, self.velocity = np.array(place, float), np.zeros(2)
        self.radius, self.top_speed = radius, top_speed  # None: does not move
        self.force = np.zeros(2)

    def distance(self, other: Disc) -> float:
        return math.dist(self.place, other.place)

    def touches(self, other: Disc) -> bool:
        return self.distance(other) < self.radius + other.radius


class SlowWorld:
    """The rules in words: loops over discs, no arrays."""

    def __init__(self, places: Any, predators: int, prey: int, view: float, score: str) -> None:
        kinds = [(0.075, 1.0)] * predators + [(0.05, 1.3)] * prey
        kinds += [(0.2, None)] * (len(places) - len(kinds))  # type: ignore[list-item]
        self.discs = [Disc(at, *kind) for at, kind in zip(places, kinds, strict=True)]
        self.movers = self.discs[: predators + prey]
        self.predators, self.prey = self.movers[:predators], self.movers[predators:]
        self.landmarks = self.discs[predators + prey :]
        self.view, self.score = view, score

    def step(self, actions: Any, offsets: Any) -> float:
        """Forces of all are decided, then all move. `offsets` (prey, points, 2)."""
        for disc, action in zip(self.predators, actions, strict=True):
            disc.force = 3.0 * np.array(action, float)
        for disc, points in zip(self.prey, offsets, strict=True):
            disc.force = self.flight(disc, points)
        for i, one in enumerate(self.discs):
            for other in self.discs[i + 1 :]:
                push = self.contact(one, other)
                one.force = one.force + push
                other.force = other.force - push
        for disc in self.movers:
            disc.velocity = 0.75 * disc.velocity + 0.1 * disc.force
            speed = float(np.linalg.norm(disc.velocity))
            if speed > disc.top_speed:  # type: ignore[operator]
                disc.velocity = disc.velocity / speed * disc.top_speed
            disc.place = disc.place + 0.1 * disc.velocity
        for disc in self.landmarks:
            disc.force = np.zeros(2)
        return 10.0 * sum(hunter.touches(one) for hunter in self.predators for one in self.prey)

    @staticmethod
    def contact(one: Disc, other: Disc) -> np.ndarray:
        distance = one.distance(other)
        depth = 1e-3 * np.logaddexp(0, (one.radius + other.radius - distance) / 1e-3)
        return 100.0 * (one.place - other.place) / distance * depth

    def flight(self, own: Disc, points: Any) -> np.ndarray:
        scores = [self.value(own, np.array(point)) for point in points]
        best = int(np.argmax(scores))
        return np.array(points[best]) if scores[best] >= 0 else np.zeros(2)

    def value(self, own: Disc, point: np.ndarray) -> float:
        if self.score == "min":
            nearest = min(self.predators, key=own.distance)
            there = Disc(own.place + point, own.radius, None)
            return -1.0 if any(map(there.touches, self.predators)) else there.distance(nearest)
        others = [disc for disc in self.movers if disc is not own]
        for part in range(1, 6):
            there = Disc(own.place + point * part / 5, own.radius, None)
            if any(map(there.touches, others)):
                return -1.0
        return sum(map(there.distance, others))

    def observation(self, own: Disc) -> np.ndarray:
        seen = [own.velocity, own.place]
        others = [disc for disc in self.movers if disc is not own]
        for disc in [*self.landmarks, *others]:
            near = own.distance(disc) <= self.view
            seen.append(disc.place - own.place if near else np.zeros(2))
        for disc in self.prey:
            seen.append(disc.velocity if own.distance(disc) <= self.view else np.zeros(2))
        return np.concatenate(seen)


@pytest.mark.parametrize(
    ("name", "score", "view"), every_pair(list(SCENARIOS), ["min", "sum"], [1.5, 0.6, None])
)
def test_the_batch_plays_by_the_rules(name: str, score: str, view: float | None) -> None:
    env_args = {"scenario_name": name, "score_function": score, "partial_obs": view is not None}
    if view is not None:
        env_args["agent_view_radius"] = view
    env: Any = make_batched("particle", env_args, 2)
    rows, random = np.arange(2), np.random.default_rng(0)
    env.reset(rows, rows + 4)
    s = SCENARIOS[name]
    env._places[:, s.n_predators] = env._places[:, 0] + 0.1  # prey begins in somebody's arms
    slow = [
        SlowWorld(places, s.n_predators, s.n_prey, math.inf if view is None else view, score)
        for places in env._places
    ]
    caught = 0.0
    for t in range(25):
        offsets = env._prey.points(env._seeds, env._t)
        hunt = env._places[:, s.n_predators, None] - env._places[:, : s.n_predators]
        noise = random.uniform(-1, 1, (2, s.n_predators, 2))
        actions = np.clip(4 * hunt + 0.5 * noise, -1, 1).astype(np.float32)
        step = env.step(rows, actions)
        for row, world in enumerate(slow):
            reward = world.step(actions[row], offsets[row])
            assert step.reward[row] == reward
            expected = [world.observation(hunter) for hunter in world.predators]
            np.testing.assert_allclose(env.obs[row], expected, atol=1e-5)
            np.testing.assert_array_equal(env.state[row], env.obs[row].reshape(-1))
            caught += reward
        assert step.ended.all() == (t == 24)
    assert caught > 0
    assert not step.terminated.any()
    assert all(info["episode_limit"] is True for info in step.infos)


def test_prey_draws_points_all_over_the_disc() -> None:
    env: Any = make_batched("particle", {}, 200)
    points = env._prey.points(np.arange(200).astype(np.uint64), np.full(200, 3))
    radius = np.linalg.norm(points.reshape(-1, 2), axis=1)

    assert radius.max() <= 1
    assert np.mean(radius < 0.5) == pytest.approx(0.25, abs=0.01)
    assert abs(points.reshape(-1, 2).mean(axis=0)).max() < 0.01
    again = env._prey.points(np.arange(200).astype(np.uint64), np.full(200, 4))
    assert abs(np.corrcoef(points[..., 0].ravel(), again[..., 0].ravel())[0, 1]) < 0.03


def test_an_episode_becomes_an_animation(tmp_path: Path) -> None:
    image = pytest.importorskip("PIL.Image")
    env = make_env("particle", {"replay_dir": str(tmp_path), "episode_limit": 6}, seed=0)
    env.reset()
    for _ in range(6):
        env.step(np.zeros((3, 2), np.float32))

    assert image.open(str(env.save_replay())).n_frames == 7


@pytest.mark.parametrize(
    ("env_args", "words"),
    [
        ({"scenario_name": "continuous_pred_prey_4a"}, "continuous_pred_prey_9a"),
        ({"score_function": "max"}, "min or sum"),
        ({"agent_view_radius": -1.0}, "partial_obs=False shows everything"),
        ({"episode_limit": 0}, "at least 1"),
    ],
)
def test_mistakes_are_answered(env_args: dict[str, Any], words: str) -> None:
    with pytest.raises(UserError, match=words):
        make_env("particle", env_args, seed=0)
