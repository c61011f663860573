"""What environments that are quick to make refuse before a run is recorded."""

from __future__ import annotations

import pytest

from envs.build import preflight
from envs.values import EnvArgs
from utils.errors import UserError


@pytest.mark.parametrize(
    ("name", "env_args", "said"),
    [
        ("skirmish", {"map_name": "3n"}, "3n"),
        ("skirmish", {"step_mul": 0}, "step_mul"),
        ("grid", {"episode_limit": None}, "episode_limit is null"),
        ("grid", {"n_agents": 1_000_000_000}, "1 to 1,000 agents"),
        ("grid", {"size": 1_000_000_000}, "a size of 2 to 10,000"),
    ],
)
def test_arguments_are_looked_at_before_a_run(name: str, env_args: EnvArgs, said: str) -> None:
    with pytest.raises(UserError, match=said):
        preflight(name, env_args, 1)


def test_what_can_be_made_passes() -> None:
    assert preflight("grid", {"n_agents": 1000, "size": 10_000}, 1) is None
    assert preflight("skirmish", {"map_name": "3m"}, 1) is not None
