from __future__ import annotations

import pytest

from envs import REGISTRY
from envs.build import make_batched, make_env
from envs.skirmish import ENGINE_VERSION
from envs.skirmish.maps import MAPS
from utils.errors import UserError

# name: agents, enemies, limit, obs, state with and without last actions, actions, type bits of
# the agents, largest reward; as measured from the SMAC package
SMAC = {
    "3m": (3, 3, 60, 30, 48, 21, 9, 0, 365),
    "8m": (8, 8, 120, 80, 168, 56, 14, 0, 640),
    "25m": (25, 25, 150, 250, 950, 175, 31, 0, 1575),
    "5m_vs_6m": (5, 6, 70, 55, 98, 38, 12, 0, 530),
    "8m_vs_9m": (8, 9, 120, 85, 179, 59, 15, 0, 695),
    "10m_vs_11m": (10, 11, 150, 105, 243, 73, 17, 0, 805),
    "27m_vs_30m": (27, 30, 180, 285, 1170, 198, 36, 0, 1850),
    "MMM": (10, 10, 150, 160, 290, 130, 16, 3, 1015),
    "MMM2": (10, 12, 180, 176, 322, 142, 18, 3, 1205),
    "2s3z": (5, 5, 120, 80, 120, 65, 11, 2, 1020),
    "3s5z": (8, 8, 150, 128, 216, 104, 14, 2, 1510),
    "3s5z_vs_3s6z": (8, 9, 170, 136, 230, 110, 15, 2, 1670),
    "3s_vs_3z": (3, 3, 150, 36, 54, 27, 9, 0, 680),
    "3s_vs_4z": (3, 4, 200, 42, 61, 31, 10, 0, 840),
    "3s_vs_5z": (3, 5, 250, 48, 68, 35, 11, 0, 1000),
    "1c3s5z": (9, 9, 180, 162, 270, 135, 15, 3, 1870),
    "2m_vs_1z": (2, 1, 150, 16, 26, 12, 7, 0, 360),
    "corridor": (6, 24, 400, 156, 282, 102, 30, 0, 1280),
    "6h_vs_8z": (6, 8, 150, 78, 140, 56, 14, 0, 1480),
    "2s_vs_1sc": (2, 1, 300, 17, 27, 13, 7, 0, 510),
    "so_many_baneling": (7, 32, 100, 202, 397, 131, 38, 0, 1480),
    "bane_vs_bane": (24, 24, 200, 336, 984, 264, 30, 2, 1260),
    "2c_vs_64zg": (2, 64, 400, 332, 342, 202, 70, 0, 3080),
}


def test_all_maps_are_there() -> None:
    assert set(MAPS) == set(SMAC)


@pytest.mark.parametrize("name", SMAC)
def test_a_map_has_the_sizes_of_smac(name: str) -> None:
    agents, enemies, limit, obs, state, bare, actions, bits, most = SMAC[name]
    info = make_env("skirmish", {"map_name": name}, seed=0).get_env_info()
    without = make_env("skirmish", {"map_name": name, "state_last_action": False}, seed=0)

    assert (info["n_agents"], MAPS[name].n_enemies, info["episode_limit"]) == (
        agents,
        enemies,
        limit,
    )
    assert (info["obs_shape"], info["state_shape"], info["n_actions"]) == (obs, state, actions)
    assert without.get_env_info()["state_shape"] == bare
    assert len(MAPS[name].ally_types) == bits
    assert info["max_reward"] == most


def test_the_engine_is_named_with_its_version() -> None:
    info = make_batched("skirmish", {"map_name": "3m"}, 1).get_env_info()

    assert info["engine"] == f"Skirmish engine {ENGINE_VERSION}"


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"map_name": "coridor"}, "Did you mean 'corridor'?"),
        ({"difficulty": "hard"}, 'difficulty: "7"'),
        ({"step_mul": 0}, "above 0. SMAC has 8"),
        ({"move_amount": float("nan")}, "above 0. SMAC has 2"),
        ({"reward_scale_rate": -1}, "above 0. SMAC has 20"),
        ({"obs_terrain_height": True}, "env_args.obs_terrain_height=False"),
        ({"episode_limit": 0}, "map's own"),
    ],
)
def test_mistakes_are_answered_with_what_to_type(settings: dict, said: str) -> None:
    with pytest.raises(UserError) as error:
        make_env("skirmish", settings, seed=0)

    assert said in str(error.value)


def test_ground_without_height_may_be_asked_for(caplog: pytest.LogCaptureFixture) -> None:
    named = make_env("skirmish", {"map_name": "3m", "obs_terrain_height": False}, seed=0)

    assert named.get_env_info()["obs_shape"] == 30
    assert not caplog.records


def test_the_environment_is_registered() -> None:
    assert "skirmish" in REGISTRY
