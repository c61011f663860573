"""CoordSum's rules by hand, and the returns of players that need not learn."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from benchmarks.coordsum_players import PLAYERS, mean_return

from envs.build import make_batched, make_env
from envs.coordsum import TASKS, CoordSumBatch
from utils.errors import UserError

ROW = np.zeros(1, np.int64)


def rewards(
    targets: int | Sequence[int], *numbers: Sequence[int], rows: str = "released"
) -> list[float]:
    """Those of an episode of 3x10-30 with these targets, one for all slots or one each."""
    env = CoordSumBatch(1, rows=rows)
    env.reset(ROW, ROW)
    env._targets[0, : len(numbers)] = targets
    return [float(env.step(ROW, np.array([each])).reward[0]) for each in numbers]


def test_the_first_number_is_guessed_by_how_often_it_was_said() -> None:
    assert rewards(5, (0, 2, 3)) == [1]  # nothing said yet: 0 is guessed
    assert rewards(5, (1, 2, 2), (1, 2, 2)) == [2, 1]
    assert rewards(5, (0, 2, 3), (1, 2, 2), (1, 2, 2)) == [1, 2, 2]  # of 0 and 1, 0 is guessed


def test_a_wrong_sum_pays_nothing_and_is_remembered() -> None:
    assert rewards(5, (1, 1, 1), (1, 2, 2)) == [0, 1]
    assert rewards(5, (1, 1, 1), (0, 2, 3)) == [0, 2]


def test_released_rows_hide_which_large_target_a_number_was_said_for() -> None:
    numbers = (3, 3, 4), (3, 4, 5)  # for 10 and for 12, which are both beyond 8
    assert rewards((10, 12), *numbers) == [2, 1]
    assert rewards((10, 12), *numbers, rows="own") == [2, 2]
    assert rewards((7, 8), (3, 2, 2), (3, 3, 2)) == [2, 2]  # small ones have their own


def test_an_episode_s_targets_are_drawn_evenly_and_shown_to_all() -> None:
    env = make_batched("coordsum", {"map_name": "5x20-80"}, 50)
    everyone = np.arange(50)
    env.reset(everyone, everyone)
    shown = []
    for _ in range(100):
        assert np.array_equal(env.obs, np.repeat(env.state[:, None], 5, axis=1))
        shown.append(env.state.copy())
        step = env.step(everyone, np.zeros((50, 5), np.int64))

    assert step.terminated.all()  # the task's end, not a limit
    counts = np.bincount(np.concatenate(shown).astype(int).ravel(), minlength=80)
    assert len(counts) == 80
    assert counts.min() > 0.4 * counts.mean()  # 62.5 each; four standard deviations are half


def test_an_episode_s_info_counts_right_sums_and_those_not_guessed() -> None:
    env = CoordSumBatch(1, n_agents=1, n_actions=1, maxval=1, episode_limit=3)
    env.reset(ROW, ROW)
    infos = [env.step(ROW, np.zeros((1, 1), np.int64)).infos[0] for _ in range(3)]

    assert infos[-1] == {"hits": 3, "surprises": 0}


# docs/coordsum.md has the table; these are of another program, drawn with other random numbers.
REFERENCE = {
    "3x10-30": {"greedy": (102, 119), "spread": (151, 118), "joint": (169, 167)},
    "3x30-50": {"greedy": (126, 143), "spread": (164, 141), "joint": (191, 191)},
    "5x20-80": {"greedy": (114, 157), "spread": (184, 154), "joint": (192, 192)},
    "8x15-100": {"greedy": (109, 163), "spread": (188, 159), "joint": (191, 191)},
}


@pytest.mark.parametrize("name", REFERENCE)
def test_players_return_what_they_did_elsewhere(name: str) -> None:
    for player, returns in REFERENCE[name].items():
        found = [mean_return(name, PLAYERS[player], rows, 400) for rows in ("released", "own")]
        assert found == pytest.approx(returns, rel=0.02)


def test_sizes_replace_those_of_the_map_and_mistakes_are_named() -> None:
    env = make_env("coordsum", {"map_name": "8x15-100", "n_agents": 2, "maxval": None}, seed=0)
    assert (env.n_agents, env.get_total_actions()) == (2, TASKS["8x15-100"].n_actions)
    mistakes = {
        "Did you mean '3x10-30'": {"map_name": "3x10-3"},
        "maxval=0; each must be at least 1": {"maxval": 0},
        "it can be released or own": {"rows": "mine"},
        "episode_limit is 0": {"episode_limit": 0},
    }
    for said, env_args in mistakes.items():
        with pytest.raises(UserError, match=said):
            make_env("coordsum", env_args, seed=0)
