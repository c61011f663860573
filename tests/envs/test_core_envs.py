from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest

from envs import REGISTRY
from envs.batched import BatchedEnv
from envs.build import make_batched, make_env
from envs.check import check_batched, check_env, draw_actions
from envs.meet_up import START, alignment
from utils.errors import UserError

# Those of packages have tests of their own, and other tests may have registered environments.
OF_PACKAGES = (
    "sc2",
    "mamujoco",
    "mujoco_multi",
    "gymma",
    "lbf",
    "rware",
    "mpe",
    "smax",
    "gfootball",
)
OURS = [name for name in REGISTRY if not name.startswith(OF_PACKAGES)]
NAMES = sorted(name for name in OURS if REGISTRY[name].__module__.startswith("envs."))


@pytest.mark.parametrize("name", NAMES)
def test_every_environment_keeps_the_contract(name: str) -> None:
    assert check_env(make_env(name, {}, seed=0), episodes=20) == []


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("seed", range(5))
def test_the_batched_face_plays_the_same_episodes(name: str, seed: int) -> None:
    assert check_batched(name, {}, seed) == []


def play(env: BatchedEnv, row: int, seed: int, others: int) -> list[np.ndarray]:
    """All that one row shows in an episode, while other rows do other things."""
    info, rows = env.get_env_info(), np.arange(env.n_envs)
    random, noise = np.random.default_rng(seed), np.random.default_rng(others)
    env.reset(rows, np.where(rows == row, seed, noise.integers(1000, size=len(rows))))
    shown, running = [], rows
    while row in running:
        shown += [env.obs[row].copy(), env.state[row].copy(), env.avail[row].copy()]
        actions = []
        for each in running:
            view = Row(env, int(each))
            actions.append(draw_actions(view, info, random if each == row else noise))
        step = env.step(running, np.array(actions))
        shown.append(step.reward[running == row].copy())
        running = running[~step.ended]
    return shown


class Row:
    """What `draw_actions` wants to see of one row."""

    def __init__(self, env: BatchedEnv, row: int) -> None:
        self._env, self._row = env, row

    def get_avail_actions(self) -> np.ndarray:
        return self._env.avail[self._row]


@pytest.mark.parametrize("name", NAMES)
def test_an_episode_depends_on_its_seed_and_actions_alone(name: str) -> None:
    first = play(make_batched(name, {}, 4), row=0, seed=7, others=1)
    again = play(make_batched(name, {}, 4), row=3, seed=7, others=2)

    assert len(first) == len(again)
    assert all(np.array_equal(one, other) for one, other in zip(first, again, strict=True))


def reward_of(name: str, *moves: Any, **env_args: Any) -> list[float]:
    env = make_env(name, env_args, seed=0)
    env.reset()
    return [env.step(np.array(move))[0] for move in moves]


def test_climbing_pays_its_matrix() -> None:
    table = [[reward_of("climbing", (i, j))[0] for j in range(3)] for i in range(3)]

    assert table == [[11, -30, 0], [-30, 7, 0], [0, 6, 5]]


def test_penalty_pays_its_matrix() -> None:
    table = [[reward_of("penalty", (i, j), k=-7)[0] for j in range(3)] for i in range(3)]

    assert table == [[-7, 0, 10], [0, 2, 0], [10, 0, -7]]


def test_nonmonotonic_pays_its_matrix() -> None:
    table = [[reward_of("nonmonotonic", (i, j))[0] for j in range(3)] for i in range(3)]

    assert table == [[-12, 0, 0], [-12, 0, 0], [8, -12, -12]]


@pytest.mark.parametrize("n_agents", [2, 3])
def test_permutation_pays_where_all_act_differently(n_agents: int) -> None:
    moves = list(itertools.product(range(n_agents), repeat=n_agents))
    paid = [reward_of("permutation", move, n_agents=n_agents)[0] for move in moves]

    assert paid == [float(len(set(move)) == n_agents) for move in moves]
    with pytest.raises(UserError, match="at least 2"):
        reward_of("permutation", n_agents=1)


def test_the_first_action_of_agent_one_picks_the_matrix() -> None:
    for second in (0, 1):
        for i in (0, 1):
            for j in (0, 1):
                assert reward_of("two_step", (0, second), (i, j)) == [0, 7]
                assert reward_of("two_step", (1, second), (i, j)) == [0, [[0, 1], [1, 8]][i][j]]


@pytest.mark.parametrize(
    ("x", "y", "reward"),
    [
        (1.0, 1.0, 2.8),
        (0.5, 0.5, 1.95),
        (0.5, 0.505, 0.1 + 1.005 - 0.1 * (0.25 + 0.505**2)),
        (0.5, 0.52, -0.1 * (0.25 + 0.52**2)),
        (0.0, 0.0, 0.0),
        (-0.5, -0.5, -0.05),
        (1.0, -1.0, -0.2),
    ],
)
def test_the_continuous_game_has_a_bowl_and_a_ridge(x: float, y: float, reward: float) -> None:
    assert reward_of("cts_matrix_game", [[x], [y]])[0] == pytest.approx(reward, abs=1e-6)


def test_meeting_up_pays_what_the_paper_defines() -> None:
    values = alignment(START[None], np.zeros((1, 2)))[0]

    assert values == pytest.approx([-0.1055728090, -1.7071067812], abs=1e-9)
    best = np.array([[np.arctan2(2, 3), np.arctan2(2, 3) - np.pi]])
    assert alignment(START[None], best)[0] == pytest.approx([0, 0], abs=1e-12)


def test_meeting_is_noticed() -> None:
    env = make_env("meet_up", {}, seed=0)
    env.reset()
    heading = np.arctan2(2, 3) / np.pi
    infos = []
    for _ in range(2):
        _, ended, info = env.step(np.array([[heading], [heading - 1]]))
        infos.append((ended, info["solved"]))

    assert infos == [(False, False), (True, True)]


def test_walls_take_moves_away() -> None:
    env = make_env("grid", {"size": 2, "n_agents": 1}, seed=0)
    for seed in range(20):
        env.reseed(seed)  # type: ignore[attr-defined]
        env.reset()
        avail = env.get_avail_agent_actions(0)
        assert avail[0] == 1
        assert sum(avail) == 3  # stay, and the two moves that a corner leaves


def test_the_grid_is_solved_on_the_goal_and_cut_by_time() -> None:
    env = make_env("grid", {"size": 5, "n_agents": 1, "sight": 9, "episode_limit": 3}, seed=0)
    ends = {"solved": 0, "cut": 0}
    for seed in range(40):
        env.reseed(seed)  # type: ignore[attr-defined]
        env.reset()
        ended, rewards = False, []
        while not ended:
            right, up = env.get_obs_agent(0)[3:] * 5
            action = (3 if right > 0 else 4) if right else (1 if up > 0 else 2) if up else 0
            reward, ended, info = env.step([action])
            rewards.append(reward)
        if info["solved"]:
            ends["solved"] += 1
            assert rewards[-1] == pytest.approx(0.95)
            assert "episode_limit" not in info
        else:
            ends["cut"] += 1
            assert info["episode_limit"] is True
            assert rewards == pytest.approx([-0.05] * 3)

    assert min(ends.values()) > 0
