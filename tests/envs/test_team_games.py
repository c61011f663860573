"""Random team games and coupled continuous tasks, by hand."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest

from configuration import load_config
from envs.build import make_batched, make_env
from envs.coupled import HitSumBatch, PushBatch, QuadraticBatch
from envs.matrix_games import MatrixGameBatch
from envs.team_game import TeamGameBatch
from records.resume import differences, identity, with_seed
from utils.errors import UserError

SIZES = {"map_name": "3x4x2"}


def rewards(env: Any, actions: Any, seed: int = 0) -> np.ndarray:
    """One move in every row, all from the same seed."""
    rows = np.arange(env.n_envs)
    env.reset(rows, np.full(env.n_envs, seed))
    return env.step(rows, np.asarray(actions)).reward


# ---------------------------------------------------------------- team games


def test_every_state_has_a_mean_of_zero_and_a_best_of_one() -> None:
    joint = np.array(list(itertools.product(range(4), repeat=3)))  # (64, 3)
    env = TeamGameBatch(len(joint), **SIZES, payoff_seed=3)
    shown = {}
    for seed in range(9):
        rows = np.arange(len(joint))
        env.reset(rows, np.full(len(joint), seed))
        state = int(env.state[0].argmax())
        shown[state] = paid = env.step(rows, joint).reward
        assert paid.mean() == pytest.approx(0, abs=1e-6)
        assert paid.max() == pytest.approx(1)
    assert len({tuple(paid) for paid in shown.values()}) == 2


def test_two_agents_in_one_state_play_a_matrix_game() -> None:
    team = TeamGameBatch(9, map_name="2x3x1", payoff_seed=5)
    matrix = MatrixGameBatch(9, team.payoffs.reshape(3, 3))
    moves = list(itertools.product(range(3), repeat=2))

    assert np.array_equal(rewards(team, moves), rewards(matrix, moves))


def test_a_move_is_paid_in_the_state_that_was_seen() -> None:
    env = TeamGameBatch(1, map_name="1x2x5", payoff_seed=1, episode_limit=6)
    row = np.zeros(1, np.int64)
    env.reset(row, row)
    for _ in range(6):
        expected = env.payoffs[env.state[0].argmax(), 1]
        assert np.array_equal(env.obs[0, 0], env.state[0])
        step = env.step(row, np.array([[1]]))
        assert step.reward[0] == expected
    assert step.terminated[0]


def test_the_game_is_the_run_s_seed_unless_it_is_told() -> None:
    words = ["--config=mappo", "--env-config=team_game", "with", "seed=7"]
    open_game, own_game = (
        with_seed(load_config([*words, *more]).config, 7)["env_args"]
        for more in ([], ["env_args.payoff_seed=2"])
    )
    made = [make_batched("team_game", args, 1) for args in (open_game, own_game)]
    single = make_env("team_game", open_game, seed=99)  # rows have other seeds

    assert [args["payoff_seed"] for args in (open_game, own_game)] == [7, 2]
    assert np.array_equal(made[0].payoffs, TeamGameBatch(1, payoff_seed=7).payoffs)
    assert np.array_equal(made[0].payoffs, single._env.payoffs)
    assert not np.array_equal(made[0].payoffs, made[1].payoffs)


def test_a_run_is_known_whether_its_game_was_left_open_or_not() -> None:
    words = ["--config=mappo", "--env-config=team_game", "with"]
    left_open = load_config([*words, "seed=7"]).config
    told = load_config([*words, "seed=7", "env_args.payoff_seed=7"]).config
    other = load_config([*words, "seed=7", "env_args.payoff_seed=8"]).config

    assert identity(left_open) == identity(told) != identity(other)
    assert differences(told, load_config(words).config) == []  # any seed
    assert differences(other, left_open) == ["env_args"]


@pytest.mark.parametrize(
    ("args", "answer"),
    [
        ({"map_name": "3x4"}, "agents x actions x states"),
        ({"map_name": "0x4x2"}, "at least 1"),
        ({"map_name": "30x4x2"}, "at most 16,777,216"),
        ({"payoff_seed": -1}, "whole number"),
        ({"payoff_seed": "a"}, "whole number"),
    ],
)
def test_impossible_games_are_refused(args: dict[str, Any], answer: str) -> None:
    with pytest.raises(UserError, match=answer):
        make_batched("team_game", args, 1)


# ---------------------------------------------------------------- coupled tasks


def second_derivatives(env: Any, at: np.ndarray, h: float = 0.05) -> np.ndarray:
    """Of the payoff at the actions `at` (N,), by differences. (N, N)"""
    n, eye = len(at), h * np.eye(len(at))
    points = [at + i + j for i, j in itertools.product([*eye, *-eye], repeat=2)]
    paid = rewards(env, np.array(points)[:, :, None]).astype(float).reshape(2 * n, 2 * n)
    return (paid[:n, :n] - paid[:n, n:] - paid[n:, :n] + paid[n:, n:]) / (4 * h * h)


def test_a_sum_is_hit_or_paid_for_by_its_square() -> None:
    env = HitSumBatch(4, n_agents=2)
    target = [rewards(env, np.zeros((4, 2, 1))), env.state[0, 0]][1]
    paid = rewards(env, [[[target], [0]], [[0], [target]], [[target], [target]], [[0], [0]]])

    assert paid == pytest.approx([0, 0, -(target**2), -(target**2)], abs=1e-6)
    bent = second_derivatives(HitSumBatch(36, n_agents=3), np.array([0.1, -0.2, 0.3]))
    assert bent == pytest.approx(np.full((3, 3), -2.0), abs=1e-3)


@pytest.mark.parametrize(("coupling", "signs"), [(0.4, "same"), (-0.3, "same"), (0.4, "mixed")])
def test_quadratic_payoffs_are_coupled_as_told(coupling: float, signs: str) -> None:
    env = QuadraticBatch(36, 3, coupling, signs, payoff_seed=2)
    bent = second_derivatives(env, np.array([0.1, -0.2, 0.3]))

    beside = env.curvature[~np.eye(3, dtype=bool)]
    assert bent == pytest.approx(-env.curvature, abs=1e-3)
    assert abs(beside) == pytest.approx(np.full(6, abs(coupling)))
    assert len(set(beside)) == (2 if signs == "mixed" else 1)


def test_without_coupling_every_agent_has_its_own_payoff() -> None:
    together, alone = QuadraticBatch(1, 2, coupling=0.0), QuadraticBatch(1, 1, coupling=0.0)
    row = np.zeros(1, np.int64)
    together.reset(row, row)
    target = together.state[0].copy()
    paid = []
    for place, action in enumerate((0.7, -0.4)):
        alone.reset(row, row)
        alone._targets[0] = target[place]
        paid.append(alone.step(row, np.array([[[action]]])).reward[0])

    assert rewards(together, [[[0.7], [-0.4]]]) == pytest.approx([sum(paid)], rel=1e-6)


def test_quadratic_games_without_an_optimum_are_refused() -> None:
    with pytest.raises(UserError, match="no optimum"):
        QuadraticBatch(1, 3, coupling=-0.6)
    with pytest.raises(UserError, match="same or mixed"):
        QuadraticBatch(1, 3, signs="odd")
    with pytest.raises(UserError, match="at least 1"):
        HitSumBatch(1, 0)


def test_only_the_sum_of_pushes_moves_the_block() -> None:
    env, rows = PushBatch(3, n_agents=2, episode_limit=30), np.arange(3)
    env.reset(rows, np.zeros(3, np.int64))
    pushes = np.array([[[0.5], [0.1]], [[0.3], [0.3]], [[0.0], [0.0]]], np.float32)
    step = env.step(rows, pushes)
    assert step.reward[0] == pytest.approx(step.reward[1])
    assert step.reward[0] != step.reward[2]

    for _ in range(28):  # a spring and a brake bring it to rest at the goal
        force = -2.0 * env.state[:, 0] - 2.0 * env.state[:, 1]
        step = env.step(rows, np.repeat(force[:, None, None] / 2, 2, axis=1).clip(-1, 1))
    assert not step.ended.any()
    step = env.step(rows, np.zeros((3, 2, 1)))
    assert step.ended.all()
    assert not step.terminated.any()
    assert all(info["solved"] for info in step.infos)
