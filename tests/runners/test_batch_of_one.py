"""`runner=episode` plays a batched environment as it is, and as its single face would be played."""

from __future__ import annotations

from functools import partial
from typing import Any

import pytest
import torch

from envs import REGISTRY as ENVS
from envs.build import make_env
from envs.vector.checked import CheckedBatch
from envs.vector.in_process import InProcessVector
from runners import REGISTRY as RUNNERS
from runners.episode_runner import EpisodeRunner
from tests.runners.support import make_runner

CORE: list[tuple[str, dict[str, Any]]] = [
    ("climbing", {"episode_limit": 3}),
    ("penalty", {"episode_limit": 2}),
    ("two_step", {}),
    ("cts_matrix_game", {}),
    ("meet_up", {"random_start": True}),
    ("grid", {"size": 2, "episode_limit": 6}),
    ("particle", {"episode_limit": 6}),
    ("skirmish", {"map_name": "3m"}),
    ("skirmish", {"map_name": "3m", "continuing_episode": True}),
    ("skirmish_v2", {"map_name": "10gen_terran"}),
]
CONTINUOUS = ("cts_matrix_game", "meet_up", "particle")


class ByItsFace(EpisodeRunner):
    """As environments are played that have no batch."""

    def make_vector(self, n_envs: int, seeds: list[int]) -> InProcessVector:
        args = self.args
        return InProcessVector([partial(make_env, args.env, args.env_args, s) for s in seeds])


def played(runner: str, **settings: Any) -> tuple[list[torch.Tensor], dict[str, Any], Any]:
    """Every field of some rounds, every statistic, and the vector."""
    made = make_runner(runner, runner_log_interval=1, test_nepisode=2, **settings)
    fields: list[torch.Tensor] = []
    try:
        for testing in (False, True, False, True, False):
            batch = made.run(test_mode=testing)
            fields += [*batch.data.transition_data.values(), *batch.data.episode_data.values()]
    finally:
        made.close_env()
    return fields, made.logger.stats, made._vector


@pytest.mark.parametrize("rollout_length", [None, 5])
@pytest.mark.parametrize(("env", "env_args"), CORE)
def test_the_same_to_the_last_bit(
    monkeypatch: pytest.MonkeyPatch,
    env: str,
    env_args: dict[str, Any],
    rollout_length: int | None,
) -> None:
    monkeypatch.setitem(RUNNERS, "by_its_face", ByItsFace)
    settings: dict[str, Any] = {"env": env, "env_args": {**env_args, "seed": 11}}
    settings |= {"batch_size_run": 1, "rollout_length": rollout_length}
    if env in CONTINUOUS:
        settings["action_selector"] = "gaussian"

    direct, stats, vector = played("episode", **settings)
    faced, expected, singles = played("by_its_face", **settings)

    assert isinstance(vector, CheckedBatch)
    assert isinstance(singles, InProcessVector)
    assert vector.reseeds == singles.reseeds
    assert stats == expected
    assert len(direct) == len(faced)
    assert all(torch.equal(one, other) for one, other in zip(direct, faced, strict=True))


def test_what_was_added_to_a_face_is_played(monkeypatch: pytest.MonkeyPatch) -> None:
    class Generous(ENVS["climbing"]):  # type: ignore[misc]
        def step(self, actions: Any) -> tuple[float, bool, dict[str, Any]]:
            reward, ended, info = super().step(actions)
            return reward + 100, ended, info

    monkeypatch.setitem(ENVS, "generous", Generous)
    runner = make_runner(env="generous", batch_size_run=1)

    assert runner.run()["reward"].max() >= 70


def test_several_environments_stay_apart() -> None:
    """One that breaks costs its own episode alone."""
    runner = make_runner(env="climbing", batch_size_run=2)

    assert isinstance(runner._vector, InProcessVector)
