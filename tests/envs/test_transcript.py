"""Replays of small tasks: what every agent did in every slot, and what came of it."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from envs.build import make_batched, make_env
from envs.transcript import Transcript
from records.replays import SHORT, collect_replays


def test_the_latest_episode_of_each_row_is_told() -> None:
    game = make_batched("two_step", {}, 2)
    for first in (0, 1):
        game.reset(np.arange(2), np.zeros(2, int))
        game.step(np.arange(2), np.array([[first, 0], [0, 1]]))
        game.step(np.arange(2), np.array([[1, 1], [0, 0]]))

    one, other = (Path(str(place)).read_text() for place in game.save_replay())

    assert one == (
        "slot 0: agent 0 plays 1, agent 1 plays 0; reward 0\n"
        "slot 1: agent 0 plays 1, agent 1 plays 1; reward 8\n"
        "return 8\n"
    )
    assert other.splitlines()[0] == "slot 0: agent 0 plays 0, agent 1 plays 1; reward 0"
    assert other.splitlines()[-1] == "return 7"


def test_actions_have_names_or_numbers() -> None:
    grid = make_env("grid", {}, seed=1)
    grid.reset()
    grid.step([0, 0])
    walk = make_env("meet_up", {}, seed=1)
    walk.reset()
    walk.step([[0.25], [-1.0]])

    assert "agent 0 stays, agent 1 stays; reward " in Path(str(grid.save_replay())).read_text()
    assert "agent 0 0.250, agent 1 -1.000; reward" in Path(str(walk.save_replay())).read_text()


def test_a_row_that_has_not_played_has_no_replay() -> None:
    game = make_batched("climbing", {}, 2)
    game.reset(np.arange(2), np.zeros(2, int))
    game.step(np.array([1]), np.array([[0, 0]]))

    nothing, played = game.save_replay()

    assert nothing is None
    assert "reward 11" in Path(str(played)).read_text()


def test_of_long_episodes_the_end_is_kept() -> None:
    transcript = Transcript(episode_limit=2)
    for slot in range(3):
        transcript.note(np.array([0]), np.array([slot]), np.array([[slot]]), np.array([1.0]))

    assert transcript.lines(0) == [
        "slot 1: agent 0 plays 1; reward 1",
        "slot 2: agent 0 plays 2; reward 1",
        "return from slot 1 on 2",
    ]


def test_short_texts_are_shown_and_long_ones_are_not(tmp_path: Path) -> None:
    short, long = tmp_path / "short.txt", tmp_path / "long.txt"
    short.write_text("slot 0: agent 0 waits\n")
    long.write_text("slot\n" * (SHORT + 1))

    assert "    slot 0: agent 0 waits" in collect_replays([str(short)], tmp_path / "a")
    assert len(collect_replays([str(long)], tmp_path / "b")) == 1
