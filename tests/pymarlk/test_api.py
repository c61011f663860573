"""The Python API: what it gives is what commands write and runners play."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import get_args

import numpy as np
import pytest

import pymarlk
from envs import REGISTRY
from envs.multiagentenv import MultiAgentEnv
from pymarlk.runs import KINDS, in_results
from pymarlk.words import text_of, words_of
from utils.errors import UserError

SHORT = {"t_max": 120, "test_interval": 60, "test_nepisode": 2, "seed": 3}


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("results")


@pytest.fixture(scope="module")
def run(results: Path) -> pymarlk.Run:
    return pymarlk.train("qmix", "two_step", results=results, **SHORT)


def played(policy: pymarlk.Policy) -> float:
    """The return of an episode, as docs/api.md plays it."""
    env, memory, ended, total = pymarlk.make_env("two_step"), None, False, 0.0
    env.reset()
    while not ended:
        obs, avail = np.stack(env.get_obs())[None], np.stack(env.get_avail_actions())[None]
        actions, memory = policy.act(obs, avail, memory)
        reward, ended, _ = env.step(actions[0])
        total += reward
    return total


def test_a_run_tells_what_its_folder_has(run: pymarlk.Run, results: Path) -> None:
    test_returns = run.metrics()["test_return_mean"]

    assert run.status == "COMPLETED"
    assert run.folder == results / "sacred" / "1"
    assert run.settings["mixer"] == "qmix"
    assert run.settings["t_max"] == 120
    assert test_returns.steps[-1] >= 120
    assert "qmix on two_step, seed 3" in repr(run)
    assert "qmix on two_step, seed 3\n" in str(run.curve("test_return_mean"))
    assert pymarlk.load_run(results=results).folder == run.folder


def test_a_curve_is_a_picture_where_notebooks_ask_for_one(run: pymarlk.Run) -> None:
    pytest.importorskip("matplotlib")

    assert run.curve()._repr_png_().startswith(b"\x89PNG")


def test_a_policy_alone_plays_as_tests_of_its_run_do(run: pymarlk.Run) -> None:
    measured = pymarlk.evaluate(run, episodes=3)["test_return_mean"]
    last = run.metrics()["test_return_mean"].values[-1]

    assert played(run.policy()) == measured == last
    assert played(pymarlk.load_policy(run.folder)) == measured


def test_a_run_without_its_sizes_asks_the_environment(run: pymarlk.Run, results: Path) -> None:
    """As those of earlier versions."""
    info = run.folder / "info.json"
    text = info.read_text()
    try:
        info.write_text("{}")
        (run.folder / "checksums.json").rename(run.folder / "aside")
        assert played(run.policy()) == played(pymarlk.load_policy(run.folder))
    finally:
        (run.folder / "aside").rename(run.folder / "checksums.json")
        info.write_text(text)


def test_a_batch_is_its_episodes_one_by_one(run: pymarlk.Run) -> None:
    policy, draw = run.policy(), np.random.default_rng(0)
    N, O = policy.n_agents, int(policy.task.obs_shape)
    memory, alone = policy.blank(3), [policy.blank(1) for _ in range(3)]
    for _ in range(4):
        obs = draw.normal(size=(3, N, O))
        actions, memory = policy.act(obs, memory=memory)
        for i in range(3):
            own, alone[i] = policy.act(obs[i : i + 1], memory=alone[i])
            assert (own[0] == actions[i]).all()


def test_shapes_that_do_not_fit_are_told(run: pymarlk.Run) -> None:
    policy = run.policy()
    obs = np.zeros((2, policy.n_agents, int(policy.task.obs_shape)))

    with pytest.raises(pymarlk.UserError, match=r"must be \(episodes, 2, \d+\).*obs\[None\]"):
        policy.act(obs[0])
    with pytest.raises(pymarlk.UserError, match="obs is no array of numbers"):
        policy.act([["much"]])
    with pytest.raises(pymarlk.UserError, match="obs is of 2 episodes, avail of 2 and memory of 1"):
        policy.act(obs, memory=policy.blank(1))


def test_a_run_goes_on(results: Path) -> None:
    half = pymarlk.train("iql", "two_step", results=results, **{**SHORT, "t_max": 40})
    more = half.resume(t_max=80)

    assert more.folder == half.folder
    assert max(more.metrics()["test_return_mean"].steps) >= 80


def test_keywords_become_words() -> None:
    typed = {"t_max": 50_000, "map_name": "3m", "lr": np.float64(0.1)}
    words = words_of(typed, {"seed": np.arange(2)}, ["map_name"])

    assert words == ["t_max=50000", "env_args.map_name=3m", "lr=0.1", "env_args.seed=[0, 1]"]
    with pytest.raises(UserError, match="Did you mean 'map_name'"):
        words_of({"map_nme": "3m"}, {}, ["map_name"])


@pytest.mark.parametrize("value", ["3m", "4.10", "True", "a, b", "null", None, 0.5, [1, "b"], "[x"])
def test_values_are_read_as_what_they_are(value: object) -> None:
    from configuration.values import parse_word

    assert parse_word(text_of(value)) == value


class Longer(MultiAgentEnv):
    """One agent, one step, and an argument."""

    n_agents, episode_limit = 1, 1

    def __init__(self, bonus: float = 0.0) -> None:
        self.bonus = bonus

    def reset(self) -> None:
        pass

    def step(self, actions: object) -> tuple[float, bool, dict[str, object]]:
        return self.bonus, True, {}

    def get_obs_agent(self, agent_id: int) -> np.ndarray:
        return np.zeros(2, np.float32)

    def get_obs_size(self) -> int:
        return 2

    def get_state(self) -> np.ndarray:
        return np.zeros(2, np.float32)

    def get_state_size(self) -> int:
        return 2

    def get_total_actions(self) -> int:
        return 3


@pytest.fixture
def longer() -> Iterator[str]:
    pymarlk.register("environment", "longer")(Longer)
    yield "longer"
    del REGISTRY["longer"]


def test_a_registered_environment_needs_no_file(longer: str, results: Path) -> None:
    run = pymarlk.train("iql", longer, results=results, bonus=100.0, t_max=10, test_nepisode=1)

    assert run.settings["env_args"]["bonus"] == 100.0
    assert run.metrics()["test_return_mean"].values[-1] == 100.0
    with pytest.raises(UserError, match="Did you mean 'bonus'"):
        pymarlk.train("iql", longer, results=results, bonsu=1.0)


def test_folders_may_begin_at_home(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/somebody")

    assert in_results("~/runs") == "local_results_path=/home/somebody/runs"


def test_what_is_asked_of_an_evaluation_is_checked(run: pymarlk.Run) -> None:
    with pytest.raises(UserError, match="test_nepisode"):
        pymarlk.evaluate(run, episodes=0)
    with pytest.raises(UserError, match="type last, best, or a step"):
        pymarlk.evaluate(run, checkpoint="newest")  # type: ignore[arg-type]


def test_it_runs_in_any_thread(run: pymarlk.Run) -> None:
    with ThreadPoolExecutor() as threads:
        found = threads.submit(pymarlk.evaluate, run, episodes=1).result()

    assert found["test_return_mean"] == pymarlk.evaluate(run, episodes=1)["test_return_mean"]


def test_a_kind_that_there_is_not_is_told() -> None:
    assert set(KINDS) == set(get_args(pymarlk.Kind))
    with pytest.raises(UserError, match="Did you mean 'mixer'"):
        pymarlk.register("mixr", "mine")(Longer)  # type: ignore[arg-type]
