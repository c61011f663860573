"""SMAC's own code and Skirmish see, allow and pay the same, step by step, on every map.

The real SMAC plays on the stand-in, whose fights are Skirmish's: with the same seed and actions
both go through the same states. This proves SMAC's layout in Skirmish, and the stand-in's answers.
The stand-in is called directly here, without a process.
"""

from __future__ import annotations

import importlib.util
import os
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from envs.skirmish.env import SkirmishBatch
from envs.skirmish.maps import MAPS

found = importlib.util.find_spec("smac")
folders = list(found.submodule_search_locations or []) if found else []
pytestmark = pytest.mark.skipif(
    not any((Path(folder) / "env" / "starcraft2").is_dir() for folder in folders),
    reason="oxwhirl's smac is not installed",
)
ROW = np.zeros(1, np.int64)
SEED = 11
STEPS = 60


class Direct:
    """pysc2's controller, as far as SMAC uses it, on the stand-in in this process."""

    def __init__(self) -> None:
        from s2clientprotocol import sc2api_pb2

        from tests.fake_sc2.server import Game

        self._pb, self._game = sc2api_pb2, Game()

    def _send(self, **request: Any) -> Any:
        answer = self._game.answer(self._pb.Request(**request))
        assert not answer.error, answer.error
        # As it comes through the wire.
        return getattr(
            self._pb.Response.FromString(answer.SerializeToString()), next(iter(request))
        )

    def create_game(self, request: Any) -> None:
        self._send(create_game=request)

    def join_game(self, request: Any) -> None:
        self._send(join_game=request)

    def game_info(self) -> Any:
        return self._send(game_info=self._pb.RequestGameInfo())

    def observe(self) -> Any:
        return self._send(observation=self._pb.RequestObservation())

    def actions(self, request: Any) -> None:
        self._send(action=request)

    def step(self, count: int) -> None:
        self._send(step=self._pb.RequestStep(count=count))

    def debug(self, commands: Any) -> None:
        self._send(debug=self._pb.RequestDebug(debug=commands))


@pytest.fixture
def smac(monkeypatch: pytest.MonkeyPatch) -> Any:
    """SMAC's environment class, whose games are `Direct`."""
    monkeypatch.setitem(os.environ, "PROTOCOL_BUFFERS_PYTHON_IMPLEMENTATION", "python")
    from smac.env import StarCraft2Env

    game = SimpleNamespace(map_data=lambda path: b"")
    game.start = lambda **_: SimpleNamespace(controller=Direct(), close=lambda: None)
    module = sys.modules[StarCraft2Env.__module__]
    monkeypatch.setattr(module.run_configs, "get", lambda version=None: game)
    return StarCraft2Env


def choose(avail: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """Random, but fond of attacking, so that something happens."""
    liking = avail * np.where(np.arange(avail.shape[1]) >= 6, 5.0, 1.0)
    return np.array([random.choice(len(row), p=row / row.sum()) for row in liking])


@pytest.mark.parametrize("name", MAPS)
def test_the_same_state_looks_the_same(smac: Any, name: str) -> None:
    play_both(smac, name)


# Without obs_timestep_number: there SMAC's observations are one longer than its get_obs_size().
SETTINGS: list[dict[str, Any]] = [
    {"obs_pathing_grid": True, "obs_last_action": True},
    {"obs_all_health": False, "obs_own_health": False, "state_timestep_number": True},
    {"obs_instead_of_state": True, "move_amount": 3},
    {"state_last_action": False, "reward_only_positive": False, "reward_scale": False},
    {"reward_sparse": True, "continuing_episode": True, "step_mul": 4},
]


@pytest.mark.parametrize("settings", SETTINGS, ids=lambda settings: next(iter(settings)))
@pytest.mark.parametrize("name", ["MMM", "corridor", "2s3z"])
def test_and_with_other_settings(smac: Any, name: str, settings: dict[str, Any]) -> None:
    play_both(smac, name, **settings)


def play_both(smac: Any, name: str, **settings: Any) -> None:
    """One episode, or its beginning, compared in every step."""
    theirs = smac(map_name=name, seed=SEED, **settings)
    ours = SkirmishBatch(n_envs=1, map_name=name, **settings)
    theirs.reset()
    ours.reset(ROW, np.array([SEED]))
    random, ended, steps = np.random.default_rng(1), False, 0
    while not ended and steps < STEPS:
        compare(theirs, ours)
        actions = choose(ours.avail[0], random)
        reward, ended, info = theirs.step(actions.tolist())
        step = ours.step(ROW, actions[None])
        steps += 1
        assert reward == pytest.approx(float(step.reward[0]), abs=1e-4)
        assert ended == bool(step.ended[0])
        assert info == step.infos[0]
    compare(theirs, ours)
    assert steps > 5


def compare(theirs: Any, ours: SkirmishBatch) -> None:
    theirs_avail = np.array(theirs.get_avail_actions())
    different = np.argwhere(theirs_avail != ours.avail[0]).tolist()
    assert different == [], ours.fights.place[:, 0, [agent for agent, _ in different]]
    assert np.abs(np.array(theirs.get_obs()) - ours.obs[0]).max() < 1e-5
    assert np.abs(theirs.get_state() - ours.state[0]).max() < 1e-5
