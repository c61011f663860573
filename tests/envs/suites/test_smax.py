"""SMAX: JaxMARL's own fights, row by row."""

from __future__ import annotations

import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from configuration.yaml_files import find_yaml
from envs.build import make_batched, make_env
from envs.check import check_batched, check_env
from envs.smax.env import SMAX
from envs.smax.fights import MAPS
from utils.errors import UserError

WHY = "jaxmarl is not installed: pip install -r requirements/smax.txt"


@pytest.fixture(scope="module")
def smax() -> Any:
    pytest.importorskip("jaxmarl", reason=WHY)
    import jaxmarl.environments.smax

    return jaxmarl.environments.smax


def test_fights_are_jaxmarls(smax: Any, tmp_path: Path) -> None:
    """The same keys, actions and numbers; a row that is not stepped stays as it is."""
    import jax

    theirs = smax.HeuristicEnemySMAX(scenario=smax.map_name_to_scenario("3m"), max_steps=100)
    step = jax.jit(theirs.step_env)
    env: Any = make_batched("smax", {"replay_dir": str(tmp_path)}, 3)
    rows, random = np.arange(3), np.random.default_rng(0)
    env.reset(rows, np.array([1, 2, 3]))
    now, key = jax.random.split(jax.random.PRNGKey(2))
    seen, units = theirs.reset(now)
    ended, resting = False, np.array(env.obs[0])
    while not ended:
        np.testing.assert_allclose(env.obs[1], [seen[a] for a in theirs.agents], atol=1e-5)
        np.testing.assert_allclose(env.state[1], theirs.get_world_state(units), atol=1e-5)
        avail = theirs.get_avail_actions(units)
        np.testing.assert_array_equal(env.avail[1], [avail[a] for a in theirs.agents])
        actions = np.array([[random.choice(np.flatnonzero(one)) for one in env.avail[1]]] * 2)
        now, key = jax.random.split(key)
        named = dict(zip(theirs.agents, actions[0], strict=True))
        seen, units, rewards, dones, _ = step(now, units, named)
        came = env.step(np.array([1, 2]), actions)
        ended = bool(came.ended[0])
        assert ended == bool(dones["__all__"])
        assert came.reward[0] == pytest.approx(float(rewards["ally_0"]), abs=1e-6)
    won = not units.state.unit_alive[3:].any()
    assert came.infos[0]["battle_won"] == won
    np.testing.assert_array_equal(env.obs[0], resting)
    assert not env.obs.flags.writeable  # JAX's own memory, not a copy

    env.step(rows[:1], np.full((1, 3), 4))
    assert Path(env.save_replay()[0]).stat().st_size > 300


@pytest.mark.usefixtures("smax")
def test_it_keeps_the_contract() -> None:
    assert check_env(make_env("smax", {}, seed=0), episodes=2) == []
    assert check_batched("smax", {}) == []


@pytest.mark.usefixtures("smax")
@pytest.mark.parametrize("continuing", [False, True])
def test_time_ends_a_fight_as_asked(continuing: bool) -> None:
    env: Any = make_batched("smax", {"continuing_episode": continuing, "episode_limit": 2}, 1)
    row, stop = np.arange(1), np.full((1, 3), 4)
    env.reset(row, row)
    env.step(row, stop)
    step = env.step(row, stop)
    assert step.ended.all()
    assert step.terminated[0] != continuing
    assert step.infos[0].get("episode_limit", False) is continuing


@pytest.mark.usefixtures("smax")
def test_the_preflight_says_what_is_played() -> None:
    facts = SMAX.preflight({"map_name": "2s3z"}, 16)
    assert facts.head == "SMAX 2s3z"
    assert set(facts.record["packages"]) == {"jaxmarl", "jax"}
    assert facts.warnings == []


@pytest.mark.usefixtures("smax")
def test_another_version_is_named_with_its_remedy(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is tried all the same; where it fails, the version is what to change first."""
    monkeypatch.setattr("envs.smax.preflight.versions", lambda _: {"jaxmarl": "0.0.3"})
    (warning,) = SMAX.preflight({}, 1).warnings
    assert "jaxmarl 0.0.3" in warning
    monkeypatch.setattr("envs.smax.preflight.find_rules", fail)
    with pytest.raises(UserError, match=r"boom.*0\.0\.3.*pip install -r requirements/smax\.txt"):
        SMAX.preflight({}, 1)


def fail(_: str) -> None:
    raise TypeError("boom")


@pytest.mark.parametrize("broken", [None, SimpleNamespace()])
def test_a_missing_package_comes_with_its_command(
    monkeypatch: pytest.MonkeyPatch, broken: Any
) -> None:
    """Or one that is not the package at all."""
    monkeypatch.setitem(sys.modules, "jaxmarl", broken)
    monkeypatch.delitem(sys.modules, "jaxmarl.environments", raising=False)
    monkeypatch.delitem(sys.modules, "jaxmarl.environments.smax", raising=False)
    monkeypatch.setitem(sys.modules, "jax", sys.modules.get("jax", SimpleNamespace()))
    with pytest.raises(UserError, match=r"pip install -r requirements/smax\.txt"):
        SMAX.preflight({}, 1)


def test_the_package_would_take_any_attack_mode() -> None:
    with pytest.raises(UserError, match="'nearest'; it can be 'closest' or 'random'"):
        make_env("smax", {"attack_mode": "nearest"}, seed=0)


def test_maps() -> None:
    with pytest.raises(UserError, match="Did you mean '2s3z'"):
        SMAX.preflight({"map_name": "2s3zz"}, 1)
    assert find_yaml("envs", "smax").values["maps"] == MAPS
    with pytest.raises(UserError, match="Did you mean '5m_vs_6m'"):
        make_env("smax", {"map_name": "5m_vs_6"}, seed=0)
