"""How episodes end, and what the settings of the reward do."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from envs.build import make_batched
from tests.envs.skirmish.support import random_actions
from utils.errors import UserError

ROW = np.arange(1)


def begun(name: str = "3m", **settings: Any) -> Any:
    env = make_batched("skirmish", {"map_name": name, **settings}, 1)
    env.reset(ROW, ROW)
    return env


def stand(env: Any) -> Any:
    alive = env.fights.alive[:, : env.fights.n_agents]
    return env.step(ROW, alive.astype(np.int64))


def test_time_ends_an_episode_like_any_end() -> None:
    env = begun("2s_vs_1sc", episode_limit=3)
    steps = [stand(env) for _ in range(3)]

    assert [bool(step.ended[0]) for step in steps] == [False, False, True]
    assert steps[-1].terminated[0]
    assert "episode_limit" not in steps[-1].infos[0]


def test_time_is_no_end_to_the_learner_if_told_so() -> None:
    env = begun("2s_vs_1sc", episode_limit=1, continuing_episode=True)
    step = stand(env)

    assert step.ended[0]
    assert not step.terminated[0]
    assert step.infos[0]["episode_limit"] is True


def test_a_win_pays_and_is_told_once() -> None:
    env = begun()
    env.fights.health[0, 3:] = 0
    step = stand(env)

    assert step.ended[0]
    assert step.terminated[0]
    assert step.infos[0] == {"battle_won": True, "dead_allies": 0, "dead_enemies": 3}
    assert step.reward[0] == pytest.approx(20 * 200 / 365)


def test_a_defeat_and_a_draw_are_no_wins() -> None:
    for dead in (slice(0, 3), slice(0, 6)):
        env = begun()
        env.fights.health[0, dead] = 0
        env.avail[0] = 0
        env.avail[0, :, 0] = 1
        step = env.step(ROW, np.zeros((1, 3), np.int64))
        assert step.ended[0]
        assert not step.infos[0]["battle_won"]
        assert step.reward[0] == 0


def test_healers_alone_have_lost() -> None:
    env = begun("MMM")
    env.fights.health[0, 10:19] = 0  # all enemies but the medivac
    step = stand(env)

    assert step.infos[0]["battle_won"]
    assert step.infos[0]["dead_enemies"] == 9


@pytest.mark.parametrize("dead", ["allies", "enemies"])
@pytest.mark.parametrize(("scaled", "unit"), [(False, 1.0), (True, 20 / 365)])
def test_sparse_rewards_are_one_or_minus_one(dead: str, scaled: bool, unit: float) -> None:
    """Times the scale of the others, unless that is off: SMAC scales these, too."""
    env = begun(reward_sparse=True, reward_scale=scaled)
    assert stand(env).reward[0] == 0
    env.fights.health[0, slice(0, 3) if dead == "allies" else slice(3, 6)] = 0
    env.avail[0, :, 0] = 1
    actions = np.full((1, 3), 0 if dead == "allies" else 1)

    wanted = -unit if dead == "allies" else unit
    assert env.step(ROW, actions).reward[0] == pytest.approx(wanted)


def test_own_losses_cost_if_told_so() -> None:
    """The same fight, with and without."""
    plain, costly = begun("8m"), begun("8m", reward_only_positive=False, reward_scale=False)
    random, lost = np.random.default_rng(0), 0.0
    while True:
        before = (plain.fights.health[0, :8].copy(), plain.fights.alive[0, :8].sum())
        actions = random_actions(plain, ROW, random)
        gain, net = plain.step(ROW, actions), costly.step(ROW, actions)
        f = plain.fights
        losses = (before[0] - f.health[0, :8]).sum() + 10 * (before[1] - f.alive[0, :8].sum())
        assert net.reward[0] == pytest.approx(gain.reward[0] * 640 / 20 - 0.5 * losses, abs=1e-2)
        lost += losses
        if gain.ended[0]:
            break

    assert lost == pytest.approx(8 * 55), "all of them died"


@pytest.mark.parametrize(
    ("rows", "actions", "said"),
    [
        ([0], [[1, -1, 1]], "no action -1; they are 0 to 8"),
        ([0], [[1, 9, 1]], "no action 9; they are 0 to 8"),
        ([0], [[1.0, 1.0, 1.0]], "Actions are float64"),
        ([0], [[True, True, True]], "Actions are bool"),
        ([0], [[1, 1]], r"shape \(1, 2\); .* shape \(1, 3\)"),
        ([0], [1, 1, 1], r"shape \(3,\); .* shape \(1, 3\)"),
        ([0, 0], [[1, 1, 1], [2, 1, 1]], r"Rows \[0, 0\] .* each of them once"),
        ([], np.zeros((0, 3), np.int64), "at least one"),
    ],
)
def test_what_are_no_actions_is_refused(rows: list, actions: Any, said: str) -> None:
    env = begun()
    with pytest.raises(UserError, match=said):
        env.step(np.array(rows, np.int64), np.array(actions))
    assert env.t[0] == 0


def test_actions_that_are_not_available_are_refused() -> None:
    with pytest.raises(UserError, match=r"Agent 1 of fight 0 .* cannot take action 6"):
        begun().step(ROW, np.array([[1, 6, 1]]))
