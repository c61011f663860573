"""Multi-Agent MuJoCo: the package's own numbers, under FACMAC's keys."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from envs.build import make_env
from envs.check import check_env
from envs.mamujoco.env import MaMuJoCo
from envs.mamujoco.scenarios import categories, find_scenario
from utils.errors import UserError

PACKAGE = "gymnasium_robotics.envs.multiagent_mujoco"
WHY = "gymnasium-robotics is not installed: pip install -r requirements/mamujoco.txt"
THE_PAPERS = [
    ("HalfCheetah-v2", "2x3"),
    ("HalfCheetah-v2", "6x1"),
    ("Walker2d-v2", "2x3"),
    ("Ant-v2", "2x4"),
    ("Ant-v2", "4x2"),
    ("Hopper-v2", "3x1"),
    ("Humanoid-v2", "9|8"),
    ("Swimmer-v2", "2x1"),
    ("manyagent_swimmer", "4x2"),
    ("manyagent_ant", "2x2"),
]


@pytest.fixture
def package() -> Any:
    pytest.importorskip("mujoco", reason=WHY)
    return pytest.importorskip(PACKAGE, reason=WHY)


def make(**env_args: Any) -> Any:
    return make_env("mamujoco", {"episode_limit": 40, **env_args}, seed=0)


@pytest.mark.parametrize(("scenario", "conf"), THE_PAPERS)
@pytest.mark.parametrize("obsk", [0, 1, None])
@pytest.mark.usefixtures("package")
def test_every_task_keeps_the_contract(scenario: str, conf: str, obsk: int | None) -> None:
    env = make(scenario_name=scenario, agent_conf=conf, agent_obsk=obsk)
    assert check_env(env, episodes=1) == []
    env.close()


@pytest.mark.parametrize(("scenario", "conf"), [("HalfCheetah", "2x3"), ("Humanoid", "9|8")])
@pytest.mark.parametrize("own", [True, False])
def test_an_episode_is_the_packages(package: Any, scenario: str, conf: str, own: bool) -> None:
    """Step by step: observations, states, rewards, ends; what is padded stays 0."""
    near = None if own else [["qpos", "qvel"], ["qpos"]]
    theirs = package.MultiAgentMujocoEnv(
        scenario,
        conf,
        agent_obsk=1,
        local_categories=near,
        global_categories=None if own else (),
        max_episode_steps=40,
    )
    label = "package" if own else None
    env = make(
        scenario_name=scenario,
        agent_conf=conf,
        agent_obsk=1,
        k_categories=label,
        global_categories=label,
    )
    random = np.random.default_rng(0)
    seen, _ = theirs.reset(seed=5)
    env.reseed(5)
    env.reset()
    ended = False
    while not ended:
        for mine, name in zip(env.get_obs(), theirs.possible_agents, strict=True):
            size = len(seen[name])
            np.testing.assert_array_equal(mine[:size], seen[name].astype(np.float32))
            assert not mine[size:].any()
        np.testing.assert_array_equal(env.get_state(), theirs.state())
        actions = random.uniform(-1, 1, (env.n_agents, env.get_total_actions()))
        actions = actions.astype(np.float32)
        scaled = {
            name: actions[i, : theirs.action_space(name).shape[0]] * theirs.action_space(name).high
            for i, name in enumerate(theirs.possible_agents)
        }
        seen, rewards, over, cut, _ = theirs.step(scaled)
        reward, ended, info = env.step(actions)
        assert reward == pytest.approx(rewards["agent_0"], abs=1e-12)
        assert ended == (over["agent_0"] or cut["agent_0"])
    assert bool(info.get("episode_limit")) is not over["agent_0"]


@pytest.mark.usefixtures("package")
def test_unequal_actions_are_padded_and_masked() -> None:
    env = make(scenario_name="Humanoid", agent_conf="9|8")
    info = env.get_env_info()

    assert info["n_actions"] == 9
    assert [sum(row) for row in env.get_avail_actions()] == [9, 8]
    assert info["action_spaces"][1].low[-1] == info["action_spaces"][1].high[-1] == 0
    assert env.notices[-1].startswith("actions of 9, 8")


@pytest.mark.usefixtures("package")
def test_without_normalised_actions_the_bounds_are_the_joints() -> None:
    """The same motion, said in two ways."""
    unit, raw = (
        make(scenario_name="Humanoid", agent_conf="9|8", normalise_actions=how)
        for how in (True, False)
    )
    assert raw.get_env_info()["action_spaces"][0].high[0] == pytest.approx(0.4)
    for env in (unit, raw):
        env.reseed(1)
        env.reset()
    actions = np.random.default_rng(0).uniform(-1, 1, (2, 9)).astype(np.float32)
    unit.step(actions)
    raw.step(actions * np.float32(0.4))
    np.testing.assert_allclose(unit.get_state(), raw.get_state(), atol=1e-5)


@pytest.mark.usefixtures("package")
def test_normalised_observations_are_the_raw_ones_scaled(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("envs.suites.scaling.STEPS", 200)
    raw, scaled, again = (make(normalise_obs=how) for how in (False, True, True))
    shown: list[list[Any]] = [[], [], []]
    for env, kept in zip((raw, scaled, again), shown, strict=True):
        for seed in range(3):
            env.reseed(seed)
            env.reset()
            ended = False
            random = np.random.default_rng(seed)
            while not ended:
                _, ended, _ = env.step(random.uniform(-1, 1, (2, 3)))
                kept.append(np.array(env.get_obs()))
    as_is, spread = np.array(shown[0]), np.array(shown[1])

    np.testing.assert_array_equal(spread, np.array(shown[2]))  # no state of its own
    assert abs(spread.mean(axis=0)).max() < 0.5
    assert spread.std(axis=0) == pytest.approx(np.ones((2, 6)), abs=0.35)
    slope = np.polyfit(as_is[:, 0, 0], spread[:, 0, 0], 1)
    np.testing.assert_allclose(np.polyval(slope, as_is[:, 0, 0]), spread[:, 0, 0], atol=1e-4)


@pytest.mark.usefixtures("package")
def test_a_fall_is_an_end_and_a_timeout_is_not() -> None:
    fallen = make(scenario_name="Hopper", agent_conf="3x1", episode_limit=500)
    fallen.reset()
    ended, steps = False, 0
    while not ended:
        _, ended, info = fallen.step(np.ones((3, 1), np.float32))
        steps += 1
    assert steps < 500
    assert "episode_limit" not in info
    timed = make(episode_limit=3)
    timed.reset()
    ends = [timed.step(np.zeros((2, 3), np.float32))[1:] for _ in range(3)]
    assert [end for end, _ in ends] == [False, False, True]
    assert ends[-1][1]["episode_limit"] is True


@pytest.mark.usefixtures("package")
def test_a_picture_shows_the_robot_as_it_moves() -> None:
    game = make().make_game(seen=True)
    game.reset(0)
    try:
        first = game.render()
    except UserError as error:
        pytest.skip(str(error))
    for _ in range(10):
        game.step([np.ones(3, np.float32)] * 2)
    assert first.shape == (256, 256, 3)
    assert np.abs(game.render().astype(int) - first).mean() > 1


@pytest.mark.usefixtures("package")
def test_the_preflight_says_what_is_played() -> None:
    facts = MaMuJoCo.preflight({"scenario_name": "Ant-v2", "agent_conf": "2x4", "seed": None}, 1)
    assert facts.head == "Ant-v5 2x4"
    assert "mujoco" in facts.record["packages"]
    assert any("Ant-v2 is played as Ant-v5" in warning for warning in facts.warnings)


@pytest.mark.parametrize(("scenario", "conf"), [*THE_PAPERS[:-1], ("Ant-v2", "2x4d")])
@pytest.mark.usefixtures("package")
def test_agents_move_the_joints_that_they_see(scenario: str, conf: str) -> None:
    """But for manyagent_ant's, as docs/suites.md says."""
    robot = make(scenario_name=scenario, agent_conf=conf).make_game(seen=False).env
    model = robot.single_agent_env.unwrapped.model
    for part in robot.agent_action_partitions:
        moved = {int(model.actuator_trnid[joint.act_ids][0]) for joint in part}
        assert moved == {int(model.dof_jntid[joint.qvel_ids]) for joint in part}


def test_names_and_categories() -> None:
    assert find_scenario("manyagent_ant", "2x3").name == "ManySegmentAnt"
    assert not find_scenario("Ant-v5", "4x2").notices
    assert categories(None, 3) == [["qpos", "qvel"], ["qpos"], ["qpos"]]
    assert categories("qpos", 1) == [["qpos"]]


@pytest.mark.parametrize(
    ("env_args", "words"),
    [
        ({"scenario_name": "HalfCheeta-v2"}, "Did you mean 'HalfCheetah'"),
        ({"scenario_name": "Ant", "agent_conf": "8x1"}, "Known: 2x4, 2x4d, 4x2"),
        ({"scenario_name": "manyagent_ant", "agent_conf": "2"}, "as in 2x3"),
        ({"scenario_name": "coupled_half_cheetah", "agent_conf": "1p1"}, "cannot run this one"),
        ({"scenario_name": "manyagent_swimmer", "agent_conf": "1x1"}, "as in 2x3"),
        ({"agent_obsk": -1}, "own joints"),
        ({"k_categories": "qpos,cvel"}, "no cvel there. It shows: qpos, qvel, qfrc"),
        ({"global_categories": "fingertip_dist"}, "global_categories: this robot shows no finger"),
        ({"k_categories": "qpos,qvel|qpo"}, "k_categories: unknown 'qpo'. Did you mean 'qpos'"),
        ({"global_categories": "qpos,speed"}, "global_categories: unknown 'speed'. Known: qpos"),
    ],
)
def test_mistakes_are_answered(env_args: dict[str, Any], words: str) -> None:
    with pytest.raises(UserError, match=words.replace("|", r"\|")):
        make_env("mamujoco", env_args, seed=0)
