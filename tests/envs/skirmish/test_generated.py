"""SMACv2's scenarios: sizes as measured from its package, and what is drawn."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from configuration.help_text import list_text
from envs.build import make_batched
from envs.check import check_batched
from envs.skirmish.generated import RACES
from envs.skirmish.units import KINDS
from tests.envs.skirmish.support import random_actions
from utils.errors import UserError

V2 = {"obs_own_pos": True, "use_unit_ranges": True}
TEAMS = {"5v5": (5, 5), "10v10": (10, 10), "20v20": (20, 20), "10v11": (10, 11), "20v23": (20, 23)}
PROTOSS = {
    "5v5": (92, 130, 11),
    "10v10": (182, 310, 16),
    "20v20": (362, 820, 26),
    "10v11": (191, 327, 17),
    "20v23": (389, 901, 29),
}
OTHERS = {
    "5v5": (82, 120, 11),
    "10v10": (162, 290, 16),
    "20v20": (322, 780, 26),
    "10v11": (170, 306, 17),
    "20v23": (346, 858, 29),
}


def arguments(name: str, units: int = 5, enemies: int = 5, p: float = 0.5) -> dict[str, Any]:
    config = {"n_units": units, "n_enemies": enemies, "start_positions": {"p": p}}
    return {"map_name": name, "capability_config": config, **V2}


def begun(n_fights: int, *given: Any, **named: Any) -> Any:
    env = make_batched("skirmish", arguments(*given, **named), n_fights)
    env.reset(np.arange(n_fights), np.arange(n_fights))
    return env


@pytest.mark.parametrize("name", RACES)
@pytest.mark.parametrize("teams", TEAMS)
def test_a_scenario_has_the_sizes_of_smacv2(name: str, teams: str) -> None:
    info = begun(1, name, *TEAMS[teams]).get_env_info()
    wanted = (PROTOSS if name == "10gen_protoss" else OTHERS)[teams]

    assert (info["obs_shape"], info["state_shape"], info["n_actions"]) == wanted
    assert info["episode_limit"] == 200


@pytest.mark.parametrize(
    ("settings", "sizes"),
    [
        ({"n_units": 10, "n_enemies": 11}, (10, 11)),
        ({"capability_config": {"n_units": 10, "n_enemies": 11}}, (10, 11)),
        ({"n_enemies": 9, "capability_config": {"n_enemies": 7}}, (5, 7)),
        ({"n_enemies": 9, "capability_config": None}, (5, 9)),
        ({}, (5, 5)),
    ],
)
def test_sizes_of_teams_are_given_as_for_starcraft(settings: dict, sizes: tuple) -> None:
    f = make_batched("skirmish_v2", settings, 1).fights  # type: ignore[attr-defined]

    assert (f.n_agents, f.n_units - f.n_agents) == sizes


def test_the_file_lists_its_maps() -> None:
    assert "skirmish_v2/10gen_zerg" in list_text("maps")


@pytest.mark.parametrize("name", RACES)
def test_both_teams_are_drawn_alike_from_the_weights(name: str) -> None:
    kind = begun(2000, name).fights.kind
    shares = [float((kind == KINDS.index(each)).mean()) for each in RACES[name]]

    np.testing.assert_array_equal(kind[:, :5], kind[:, 5:])
    assert shares == pytest.approx([0.45, 0.45, 0.1], abs=0.03)


def test_no_team_has_only_units_that_cannot_win_alone() -> None:
    config = {"n_units": 1, "n_enemies": 1, "team_gen": {"weights": [0.1, 0.1, 0.8]}}
    env: Any = make_batched("skirmish", {"map_name": "10gen_zerg", "capability_config": config}, 99)
    env.reset(np.arange(99), np.arange(99))

    assert KINDS.index("baneling") not in env.fights.kind


def test_teams_are_mirrored_or_one_surrounds_the_other() -> None:
    mirrored = begun(50, "10gen_terran", p=0.0).fights
    np.testing.assert_allclose(mirrored.x[:, 5:], 32 - mirrored.x[:, :5], atol=1e-5)
    np.testing.assert_allclose(mirrored.y[:, 5:], mirrored.y[:, :5], atol=1e-5)

    around = begun(50, "10gen_terran", p=1.0).fights
    distance = np.hypot(around.x - 16, around.y - 16)
    assert distance[:, :5].max() < 4
    assert distance[:, 5:].min() > 8


@pytest.mark.parametrize("name", RACES)
def test_fights_of_many_kinds_keep_the_contract(name: str) -> None:
    assert check_batched("skirmish", arguments(name, 5, 6), seed=3) == []


def test_rewards_are_scaled_by_the_teams_of_each_fight() -> None:
    env = begun(32, "10gen_protoss")
    rows, random = np.arange(32), np.random.default_rng(0)
    env.fights.health[:, 5:] = 1
    env.fights.shield[:, 5:] = 0
    strength = (env.fights.life + env.fights.shield_max)[:, 5:].sum(axis=1)
    step = env.step(rows, random_actions(env, rows, random))
    killed = 5 - env.fights.alive[:, 5:].sum(axis=1)
    lost = 5 - (env.fights.health + env.fights.shield)[:, 5:].sum(axis=1)

    assert killed.any()
    assert len(set(strength)) > 5
    wanted = 20 * np.abs(10 * killed + lost) / (50 + 200 + strength)
    going_on = ~step.ended
    np.testing.assert_allclose(step.reward[going_on], wanted[going_on], atol=1e-4)


def test_own_place_and_ranges_are_seen() -> None:
    env = begun(20, "10gen_zerg", p=1.0)
    rows, random = np.arange(20), np.random.default_rng(0)
    for _ in range(6):
        step = env.step(rows, random_actions(env, rows, random))
        rows = rows[~step.ended]
    f = env.fights
    alive = f.alive[:, :5]
    place = np.moveaxis(f.place[:, :, :5], 0, -1) / 32
    np.testing.assert_allclose(env.obs[alive][:, -2:], place[alive], atol=1e-6)
    ranges = np.where(f.kind == KINDS.index("hydralisk"), 5.0, 2.0)[:, :5, None]
    offset = f.place[:, :, None, 5:] - f.place[:, :, :5, None]
    near = (np.hypot(*offset) <= ranges) & f.alive[:, None, 5:] & alive[:, :, None]
    np.testing.assert_array_equal(env.avail[:, :, 6:], near)
    assert near.any()


@pytest.mark.parametrize(
    ("config", "said"),
    [
        ({"n_unit": 3}, "Did you mean 'n_units'?"),
        ({"n_units": 6}, "as many enemies"),
        ({"n_units": 2.5}, "whole numbers"),
        ({"n_units": "5"}, "whole numbers"),
        ({"team_gen": {"weight": [1, 1, 1]}}, "Did you mean 'weights'?"),
        ({"team_gen": {"dist_type": "fixed"}}, "weighted_teams alone"),
        ({"team_gen": 3}, "must be a dictionary"),
        ({"team_gen": {"unit_types": ["zelot", "stalker"]}}, "Did you mean 'zealot'?"),
        ({"team_gen": {"unit_types": ["zealot"], "weights": [1]}}, "zergling, hydralisk, baneling"),
        ({"team_gen": {"unit_types": ["zergling", "zergling"], "weights": [1, 1]}}, "different"),
        ({"team_gen": {"unit_types": "zergling", "weights": [1]}}, "a list: [zergling]"),
        ({"team_gen": {"exception_unit_types": ["banelin"]}}, "Did you mean 'baneling'?"),
        ({"team_gen": {"weights": [float("nan"), 1, 1]}}, "one number"),
        ({"start_positions": {"dist_type": "nope"}}, "surrounded_and_reflect alone"),
        ({"start_positions": {"p": 7}}, "from 0 to 1"),
        ({"start_positions": {"p": "half"}}, "from 0 to 1"),
        ({"start_positions": {"map_x": 64}}, "map_x: 32 alone"),
        ({"team_gen": {"weights": [1, 2]}}, "one number"),
        ({"team_gen": {"unit_types": ["baneling"], "weights": [1]}}, "needs others"),
    ],
)
def test_wrong_teams_are_refused(config: dict, said: str) -> None:
    with pytest.raises(UserError) as error:
        make_batched("skirmish", {"map_name": "10gen_zerg", "capability_config": config}, 1)

    assert said in str(error.value)


@pytest.mark.parametrize(
    "config", [None, {}, {"team_gen": None}, {"team_gen": {"observe": True}, "n_units": 5}]
)
def test_what_is_not_given_is_as_in_smacv2(config: dict | None) -> None:
    """The same team sizes, kinds and places, whichever way nothing is said."""
    given, plain = (
        make_batched("skirmish_v2", {"map_name": "10gen_zerg", "capability_config": c}, 3)
        for c in (config, {"n_units": 5, "n_enemies": 5, "start_positions": {"p": 0.5}})
    )
    for env in (given, plain):
        env.reset(np.arange(3), np.arange(3))

    np.testing.assert_array_equal(given.state, plain.state)


def test_fixed_maps_take_no_teams() -> None:
    with pytest.raises(UserError, match="fixed teams"):
        make_batched("skirmish", {"map_name": "3m", "capability_config": {"n_units": 3}}, 1)
