"""Other packages' environments: their own episodes, step by step, in our contract."""

from __future__ import annotations

import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from configuration import load_env_config
from envs.build import make_env
from envs.check import check_env, draw_actions
from envs.suites.games import GymnasiumGame, ParallelGame
from envs.suites.grids import AGENT, CELL
from envs.suites.gymma import Gymma, parallel_module, played_packages
from envs.suites.shapes import Shapes
from utils.errors import UserError

LBF, RWARE = "lbforaging:Foraging-8x8-2p-3f-v3", "rware:rware-tiny-2ag-v2"
SUITES = {"lbf": "lbforaging", "rware": "rware", "mpe": "mpe2"}


def have(module: str) -> Any:
    extra = next((name for name, needs in SUITES.items() if needs == module), "gymma")
    reason = f"{module} is not installed: pip install -r requirements/{extra}.txt"
    return pytest.importorskip(module, reason=reason)


def make(key: str, **env_args: Any) -> Any:
    return make_env("gymma", {"key": key, **env_args}, seed=0)


@pytest.mark.parametrize("suite", SUITES)
def test_each_suites_settings_keep_the_contract(suite: str) -> None:
    have(SUITES[suite])
    config = load_env_config([f"--env-config={suite}"])
    name, env_args = config["env"], config["env_args"]
    assert check_env(make_env(name, env_args, seed=0), episodes=2) == []


@pytest.mark.parametrize("key", [LBF, RWARE])
@pytest.mark.parametrize("how", ["sum", "mean"])
def test_a_gymnasium_episode_is_the_packages(key: str, how: str) -> None:
    have(key.partition(":")[0])
    import gymnasium

    env, paid = make(key, time_limit=40, reward_scalarisation=how), 0.0
    for seed in range(6):
        theirs = gymnasium.make(key, disable_env_checker=True)  # new: it keeps old places
        seen, _ = theirs.reset(seed=seed)
        env.reseed(seed)
        env.reset()
        info, random, ended = env.get_env_info(), np.random.default_rng(seed), False
        while not ended:
            np.testing.assert_array_equal(env.get_obs(), np.array(seen, np.float32))
            np.testing.assert_array_equal(env.get_state(), np.concatenate(env.get_obs()))
            actions = draw_actions(env, info, random)
            seen, rewards, over, _, _ = theirs.step(tuple(int(action) for action in actions))
            reward, ended, last = env.step(actions)
            assert reward == pytest.approx(sum(rewards) if how == "sum" else np.mean(rewards))
            paid += abs(reward)
        assert bool(last.get("episode_limit")) is not bool(over)
    assert paid > 0 or key == RWARE  # nobody delivers a shelf by chance


@pytest.mark.parametrize("continuous", [False, True])
def test_a_pettingzoo_episode_is_the_packages(continuous: bool) -> None:
    have("mpe2")
    from mpe2 import simple_tag_v3

    theirs = simple_tag_v3.parallel_env(continuous_actions=continuous)
    env = make("pz-mpe-simple-tag-v3", kwargs={"continuous_actions": continuous})
    seen, _ = theirs.reset(seed=9)
    env.reseed(9)
    env.reset()
    info, random, ended, paid, steps = env.get_env_info(), np.random.default_rng(1), False, 0.0, 0
    assert env.notices == ["observations of 16, 16, 16, 14 numbers are padded to 16."]
    while not ended:
        np.testing.assert_array_equal(env.get_obs()[0], seen["adversary_0"])
        np.testing.assert_array_equal(env.get_obs()[3], [*seen["agent_0"], 0, 0])
        np.testing.assert_array_equal(env.get_state(), theirs.state())
        actions = draw_actions(env, info, random)
        plain = [action if continuous else int(action) for action in actions]
        seen, rewards, _, _, _ = theirs.step(dict(zip(theirs.agents, plain, strict=True)))
        reward, ended, last = env.step(actions)
        assert reward == pytest.approx(sum(rewards.values()))
        paid, steps = paid + abs(reward), steps + 1
    assert (steps, last["episode_limit"]) == (25, True)
    assert paid > 0


def test_a_time_limit_of_the_packages_own_is_no_end_of_the_task() -> None:
    """Level-Based Foraging says terminated at its own limit, with food left."""
    have("lbforaging")
    env = make(LBF, time_limit=50)
    env.reset()
    ended, steps = False, 0
    while not ended:
        _, ended, info = env.step([0, 0])
        steps += 1
    assert (steps, info["episode_limit"]) == (50, True)


def test_one_agent_is_a_team_too() -> None:
    have("gymnasium")
    assert check_env(make("CartPole-v1", time_limit=30), episodes=1) == []
    env = make("Pendulum-v1", normalise_actions=True)
    assert check_env(env, episodes=1) == []
    assert env.get_env_info()["action_spaces"][0].high.tolist() == [1.0]  # of 2
    assert make("Pendulum-v1").get_env_info()["action_spaces"][0].high.tolist() == [2.0]


class Leaving:
    """A parallel environment in which agent i may act i + 2 ways and leaves after i + 1 steps."""

    def __init__(self, ends_by_time: bool = False) -> None:
        self.possible_agents = ["a", "b", "c"]
        self.ends_by_time = ends_by_time

    def observation_space(self, name: str) -> Any:
        from gymnasium.spaces import Box

        return Box(-1, 1, (1 + ord(name) - ord("a"),))

    def action_space(self, name: str) -> Any:
        from gymnasium.spaces import Discrete

        return Discrete(2 + ord(name) - ord("a"))

    def reset(self, seed: int) -> Any:
        self.agents, self.t = list(self.possible_agents), 0
        return self._seen(self.agents)

    def _seen(self, names: list[str]) -> Any:
        infos = {name: {"action_mask": [0] + [1] * (ord(name) - ord("a") + 1)} for name in names}
        return {name: np.full(1 + ord(name) - ord("a"), 0.5) for name in names}, infos

    def step(self, actions: dict[str, int]) -> Any:
        assert set(actions) == set(self.agents)
        self.t += 1
        before = self.agents
        gone = {name: self.t > ord(name) - ord("a") for name in before}
        cut = {name: self.ends_by_time and gone[name] for name in before}
        over = {name: gone[name] and not cut[name] for name in before}
        self.agents = [name for name in before if not gone[name]]
        obs, infos = self._seen(before)
        return obs, dict.fromkeys(before, 1.0), over, cut, infos

    def close(self) -> None: ...


@pytest.mark.parametrize("by_time", [False, True])
def test_agents_may_leave_and_mask_their_actions(
    monkeypatch: pytest.MonkeyPatch, by_time: bool
) -> None:
    have("gymnasium")
    monkeypatch.setattr(Gymma, "make_game", lambda *_, **__: ParallelGame(Leaving(by_time)))
    env = make("anything")
    env.reset()
    assert [len(obs) for obs in env.get_obs()] == [3, 3, 3]
    assert [row.tolist() for row in env.get_avail_actions()] == [
        [0, 1, 0, 0],
        [0, 1, 1, 0],
        [0, 1, 1, 1],
    ]
    rewards = []
    ended = False
    while not ended:
        reward, ended, info = env.step([row.argmax() for row in env.get_avail_actions()])
        rewards.append(reward)
    assert rewards == [3.0, 2.0, 1.0]
    assert bool(info.get("episode_limit")) is by_time
    assert env.get_avail_actions()[0].tolist() == [1, 0, 0, 0]
    assert not env.get_obs()[0].any()


def test_what_cannot_be_fitted_is_refused() -> None:
    have("gymnasium")
    from gymnasium.spaces import Box, Discrete, MultiDiscrete, Sequence

    seen = [Box(-1, 1, (2,))] * 2
    with pytest.raises(UserError, match="Box, Discrete"):
        Shapes(seen, [Discrete(2), Box(-1, 1, (2,))], unit_actions=False)
    with pytest.raises(UserError, match="MultiDiscrete"):
        Shapes(seen, [MultiDiscrete([2, 2])] * 2, unit_actions=False)
    with pytest.raises(UserError, match="have no bounds"):
        Shapes(seen, [Box(-np.inf, np.inf, (2,))] * 2, unit_actions=False)
    with pytest.raises(UserError, match="must be floats"):
        Shapes(seen, [Box(0, 5, (2,), np.int64)] * 2, unit_actions=False)
    with pytest.raises(UserError, match="2 observations for the actions of 3 agents"):
        Shapes(seen, [Discrete(2)] * 3, unit_actions=False)
    with pytest.raises(UserError, match=r"observations are Sequence.*fixed number"):
        Shapes([Sequence(Discrete(2))], [Discrete(2)], unit_actions=False)
    with pytest.raises(UserError, match="observe nothing"):
        Shapes([Box(-1, 1, (0,))], [Discrete(2)], unit_actions=False)


def test_a_team_has_tuples_of_both_spaces() -> None:
    have("gymnasium")
    from gymnasium.spaces import Box, Dict, Discrete, Tuple

    seen, choice = Box(-1, 1, (2,)), Discrete(2)
    with pytest.raises(UserError, match="both must be tuples"):
        GymnasiumGame(SimpleNamespace(observation_space=seen, action_space=Tuple([choice] * 2)))
    one = GymnasiumGame(SimpleNamespace(observation_space=seen, action_space=Dict(a=choice)))
    with pytest.raises(UserError, match="actions are Dict"):
        Shapes(one.observation_spaces, one.action_spaces, unit_actions=False)


def test_choices_are_seen_as_one_hots_and_counted_from_where_they_start() -> None:
    have("gymnasium")
    from gymnasium.spaces import Discrete

    shapes = Shapes([Discrete(3)], [Discrete(4, start=-1)], unit_actions=False)
    place = np.zeros(3, np.float32)
    shapes.observation(0, 2, place)
    assert place.tolist() == [0, 0, 1]
    assert [shapes.action(0, chosen) for chosen in range(4)] == [-1, 0, 1, 2]


def test_keys() -> None:
    assert parallel_module("pz-mpe-simple-spread-v3") == "mpe2.simple_spread_v3"
    assert parallel_module("pettingzoo.sisl.multiwalker_v9") == "pettingzoo.sisl.multiwalker_v9"
    assert parallel_module("CartPole-v1") is None
    assert parallel_module(LBF) is None


@pytest.mark.parametrize("key", [LBF, RWARE])
def test_grids_are_drawn_without_a_screen(tmp_path: Path, key: str) -> None:
    have(key.partition(":")[0])
    pytest.importorskip("PIL")
    game = make(key).make_game(seen=True)
    game.reset(0)
    first = game.render()
    frames = [first]
    for _ in range(10):
        game.step([1, 1])
        frames.append(game.render())

    assert first.shape[2] == 3
    assert any((frame != first).any() for frame in frames)
    blue = (np.abs(first.astype(int) - AGENT).max(axis=2) < 8).sum()
    assert blue > 2 * 0.5 * (CELL - 10) ** 2 * 0.7  # two discs, less what is written on them


def test_an_episode_is_filmed_by_playing_it_again(tmp_path: Path) -> None:
    have("mpe2")
    image = pytest.importorskip("PIL.Image")
    env = make("mpe2.simple_spread_v3", replay_dir=str(tmp_path), time_limit=5)
    env.reset()
    random, info = np.random.default_rng(0), env.get_env_info()
    for _ in range(5):
        env.step(draw_actions(env, info, random))
    film = image.open(env.save_replay())

    assert 2 <= film.n_frames <= 6  # Pillow joins equal pictures
    assert Path(film.filename).parent == tmp_path


@pytest.mark.parametrize(
    ("name", "env_args", "extra"),
    [
        ("gymma", {"key": LBF}, "lbf"),
        ("gymma", {"key": RWARE}, "rware"),
        ("gymma", {"key": "mpe2.simple_spread_v3"}, "mpe"),
        ("gymma", {"key": "CartPole-v1"}, "gymma"),
        ("mamujoco", {}, "mamujoco"),
    ],
)
def test_a_missing_package_comes_with_its_command(
    monkeypatch: pytest.MonkeyPatch, name: str, env_args: dict[str, Any], extra: str
) -> None:
    for package in ("gymnasium", "gymnasium_robotics", *SUITES.values()):
        for loaded in [name for name in sys.modules if name.startswith(f"{package}.")]:
            monkeypatch.delitem(sys.modules, loaded)  # found there, a part needs no whole
        monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(UserError, match=rf"pip install -r requirements/{extra}\.txt"):
        make_env(name, env_args, seed=0)


@pytest.mark.parametrize(
    ("env_args", "words"),
    [
        ({}, "say what to play"),
        ({"key": LBF, "pretrained_wrapper": "PretrainedTag"}, "pretrained_wrapper=null"),
        ({"key": LBF, "reward_scalarisation": "max"}, "'sum' or 'mean'"),
        ({"key": LBF, "time_limit": 0}, "at least 1"),
        ({"key": LBF, "time_limit": None}, "time_limit is null; its default is 25"),
        ({"key": "NoSuchTask-v0"}, "MODULE:ID"),
        ({"key": "os.path"}, "os.path has no parallel_env"),
    ],
)
def test_mistakes_are_answered(env_args: dict[str, Any], words: str) -> None:
    have("gymnasium")
    with pytest.raises(UserError, match=words):
        make_env("gymma", env_args, seed=0)


def test_a_wrong_name_in_a_package_that_is_there(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """No command to install what is installed."""
    package = tmp_path / "games_of_mine"
    package.mkdir()
    for name in ("__init__", "spread_v3", "tag_v3", "_private"):
        (package / f"{name}.py").write_text("")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(UserError, match=r"no 'spred_v3'. Did you mean 'spread_v3'\? It has: spr"):
        make("games_of_mine.spred_v3")
    (package / "chess_v1.py").write_text("import a_board_of_theirs.pieces")
    with pytest.raises(UserError, match=r"PACKAGE, for the package that has a_board_of_theirs$"):
        make("games_of_mine.chess_v1")
    monkeypatch.delitem(sys.modules, "games_of_mine")


def test_what_only_one_of_its_families_needs_is_installed_with_that(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    have("pettingzoo")
    monkeypatch.setitem(sys.modules, "Box2D", None)
    with pytest.raises(UserError, match=r'Type: pip install "pettingzoo\[sisl\]"'):
        make("pz-sisl-multiwalker-v9")


def test_a_record_has_the_versions_of_what_is_played() -> None:
    assert played_packages(LBF) == ("gymnasium", "lbforaging")
    assert played_packages("CartPole-v1") == ("gymnasium",)
    assert played_packages("pz-mpe-simple-spread-v3") == ("gymnasium", "pettingzoo", "mpe2")
    assert played_packages("pz-sisl-multiwalker-v9") == ("gymnasium", "pettingzoo")


def test_a_game_of_one_and_a_game_of_two_have_the_same_face() -> None:
    have("gymnasium")
    import gymnasium

    game = GymnasiumGame(gymnasium.make("CartPole-v1"))
    assert len(game.reset(0)) == 1
    turn = game.step([0])
    assert (len(turn.obs), turn.rewards) == (1, [1.0])
    assert game.state() is None
    assert game.masks() is None
