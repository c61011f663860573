"""Google Research Football: on a stand-in for its face, and on itself where it is installed."""

from __future__ import annotations

import importlib
import importlib.util
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from envs.build import make_env
from envs.check import check_env, run_check
from envs.football.env import GFootball
from utils.errors import UserError

STAND_IN = Path(__file__).parents[2] / "fake_gfootball"
REAL = importlib.util.find_spec("gfootball") is not None
skip_real = pytest.mark.skipif(not REAL, reason="gfootball is not installed: docs/suites.md")


@pytest.fixture(params=["stand-in", pytest.param("real", marks=skip_real)])
def gfootball(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    if request.param == "real":
        yield importlib.import_module("gfootball.env")
        return
    yield from stand_in(monkeypatch)


@pytest.fixture(name="stand_in")
def only_stand_in(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    yield from stand_in(monkeypatch)


def stand_in(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    forget()
    monkeypatch.syspath_prepend(STAND_IN)
    yield importlib.import_module("gfootball.env")
    forget()


def forget() -> None:
    for name in [name for name in sys.modules if name.partition(".")[0] == "gfootball"]:
        del sys.modules[name]


def make(**env_args: Any) -> Any:
    return make_env("gfootball", {"time_limit": 30, **env_args}, seed=0)


@pytest.mark.usefixtures("gfootball")
@pytest.mark.parametrize("n_agents", [1, 3])
def test_it_keeps_the_contract(n_agents: int) -> None:
    env = make(num_agents=n_agents)
    assert check_env(env, episodes=1) == []
    assert "exact resume: no" in run_check("gfootball", {"num_agents": n_agents})[0]
    assert env.get_env_info() == {
        "state_shape": 115 * n_agents,
        "obs_shape": 115,
        "n_actions": 19,
        "n_agents": n_agents,
        "episode_limit": 30,
    }
    env.close()


@pytest.mark.parametrize("n_agents", [1, 3])
@pytest.mark.parametrize("how", ["sum", "mean"])
def test_an_episode_is_the_packages(gfootball: Any, n_agents: int, how: str) -> None:
    rewards = "scoring,checkpoints"
    theirs = gfootball.create_environment(
        env_name="academy_3_vs_1_with_keeper",
        representation="simple115v2",
        rewards=rewards,
        number_of_left_players_agent_controls=n_agents,
    )
    env, random = make(num_agents=n_agents, rewards=rewards, reward_scalarisation=how), None
    for seed in (4, 5):
        theirs.unwrapped._config["game_engine_random_seed"] = seed
        theirs.unwrapped._config["reverse_team_processing"] = bool(seed % 2)
        seen, ended, random = theirs.reset(), False, np.random.default_rng(seed)
        env.reseed(seed)
        env.reset()
        while not ended:
            np.testing.assert_array_equal(env.get_obs(), np.reshape(seen, (n_agents, 115)))
            np.testing.assert_array_equal(env.get_state(), np.ravel(seen))
            actions = random.choice([5, 5, 12], n_agents)
            seen, paid, over, _ = theirs.step(actions.tolist())
            reward, ended, info = env.step(actions)
            assert reward == pytest.approx(np.sum(paid) if how == "sum" else np.mean(paid))
        assert bool(info.get("episode_limit")) is not over
    env.close()
    theirs.close()


@pytest.mark.usefixtures("stand_in")
def test_a_goal_is_an_end_and_time_is_not() -> None:
    for action, limit in ((5, 30), (0, 3)):
        env = make(time_limit=limit)
        env.reset()
        ended = False
        while not ended:
            reward, ended, info = env.step([action] * 3)
        goal = action == 5
        assert reward == 3 * goal
        assert info["score_reward"] == goal
        assert bool(info.get("episode_limit")) is not goal


@pytest.mark.usefixtures("stand_in")
def test_it_is_filmed(tmp_path: Path) -> None:
    image = pytest.importorskip("PIL.Image")
    env = make(replay_dir=str(tmp_path))
    env.reset()
    for _ in range(5):
        env.step([5, 0, 0])
    film = image.open(env.save_replay())
    assert film.n_frames == 6
    assert film.size == (640, 360)


@pytest.mark.usefixtures("stand_in")
def test_the_preflight_says_what_is_played() -> None:
    facts = GFootball.preflight({"map_name": "academy_counterattack_hard", "num_agents": 4}, 1)
    assert facts.head == "academy_counterattack_hard"


@pytest.mark.usefixtures("stand_in")
@pytest.mark.parametrize(
    ("env_args", "words"),
    [
        ({"map_name": "academy_counterattack_hart"}, "Did you mean 'academy_counterattack_hard'"),
        ({"representation": "extracted"}, "it can be 'simple115v2' or 'simple115'"),
        ({"rewards": "goals"}, "it can be 'scoring' or 'scoring,checkpoints'"),
        ({"num_agents": 0}, "at least 1"),
    ],
)
def test_mistakes_are_answered(env_args: dict[str, Any], words: str) -> None:
    with pytest.raises(UserError, match=words):
        make(**env_args)


@pytest.mark.usefixtures("stand_in")
def test_a_gym_that_is_too_new_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("envs.football.match.versions", lambda _: {"gym": "0.26.2"})
    with pytest.raises(UserError, match=r"pip install gym==0\.25\.2"):
        make()


def test_the_missing_package_comes_with_its_commands(monkeypatch: pytest.MonkeyPatch) -> None:
    forget()
    monkeypatch.setitem(sys.modules, "gfootball", None)
    with pytest.raises(UserError, match=r"--no-build-isolation -r requirements/gfootball\.txt"):
        make()
