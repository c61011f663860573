"""Multi-Agent MuJoCo by gymnasium-robotics, under the keys of FACMAC's `mujoco_multi`."""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import ClassVar

import numpy as np

from envs.build import warn_once
from envs.mamujoco.opengl import cannot_draw, choose_opengl
from envs.mamujoco.scenarios import (
    SEGMENTED,
    VERSION,
    Scenario,
    categories,
    find_scenario,
    global_categories,
    require_shown,
)
from envs.suites.foreign import Infos, Native, Shown
from envs.suites.games import ParallelGame, Turn
from envs.suites.packages import need
from envs.suites.team import TeamEnv
from utils.errors import UserError
from utils.needs import CONTINUOUS

PACKAGE = "gymnasium_robotics.envs.multiagent_mujoco"
PICTURE = 256  # pixels a side
GENERATORS = {"ManySegmentSwimmer": "many_segment_swimmer", "ManySegmentAnt": "many_segment_ant"}


class MaMuJoCo(TeamEnv):
    """One robot, several agents, continuous actions.

    With `normalise_actions` the agents act in [-1, 1], which stands for the joints' own bounds;
    `agent_obsk` null shows the whole state to each agent. All agents have one reward.
    """

    action_kind = CONTINUOUS
    packages = ("gymnasium-robotics", "gymnasium", "mujoco")
    frames_per_second: ClassVar[float] = 20

    def __init__(
        self,
        scenario_name: str = "HalfCheetah-v5",
        agent_conf: str = "2x3",
        agent_obsk: int | None = 0,
        k_categories: str | None = None,
        global_categories: str | None = None,
        episode_limit: int = 1000,
        normalise_actions: bool = True,
        normalise_obs: bool = False,
        obs_add_global_pos: bool = False,
        replay_format: str = "gif",
        replay_dir: str = "",
        seed: int | None = None,
    ) -> None:
        self._scenario = find_scenario(scenario_name, agent_conf)
        self._sight = Sight(agent_obsk, k_categories, global_categories)
        self.episode_limit = episode_limit
        super().__init__(
            title=self._scenario.title,
            episode_limit=episode_limit,
            seed=seed,
            unit_actions=normalise_actions,
            normalise_obs=normalise_obs,
            replay_format=replay_format,
            replay_dir=replay_dir,
        )
        self.notices += self._scenario.notices
        if obs_add_global_pos:
            self.notices.append(
                "obs_add_global_pos does nothing, as in FACMAC; global_categories=qpos,qvel adds "
                "what all agents may see."
            )

    def make_game(self, seen: bool) -> Robot:
        return Robot(self._scenario, self._sight, self.episode_limit, seen)


class Sight:
    """What agents see of the robot, in FACMAC's words."""

    def __init__(self, agent_obsk: int | None, near: str | None, everywhere: str | None) -> None:
        if agent_obsk is not None and agent_obsk < 0:
            raise UserError(
                f"agent_obsk is {agent_obsk}; it can be 0 (own joints), 1, 2, ... or null (all)."
            )
        self.everything = agent_obsk is None
        self.joints = agent_obsk or 0
        self.near = categories(near, self.joints + 1)
        self.everywhere = global_categories(everywhere)


class Robot(ParallelGame):
    """The package's environment. It pays every agent the same, which is the team's reward."""

    def __init__(self, scenario: Scenario, sight: Sight, limit: int, seen: bool) -> None:
        package = need(PACKAGE)
        need("mujoco").set_mju_user_warning(pass_on)
        how: dict[str, object] = {"max_episode_steps": limit, "disable_env_checker": True}
        if seen:
            choose_opengl()
            how |= {"render_mode": "rgb_array", "width": PICTURE, "height": PICTURE}
        if scenario.name in SEGMENTED:
            how = {"gym_env": make_segmented(scenario, how)}
        env = package.MultiAgentMujocoEnv(
            scenario=scenario.name,
            agent_conf=scenario.agent_conf,
            agent_obsk=sight.joints,
            local_categories=sight.near,
            global_categories=sight.everywhere,
            **how,
        )
        super().__init__(env)
        joints = [joint for part in env.agent_action_partitions for joint in part]
        require_shown("k_categories", sight.near or [], joints)
        require_shown("global_categories", [sight.everywhere or ()], env.mujoco_globals)
        self._sees_all = sight.everything
        if self._sees_all:
            whole = env.single_agent_env.observation_space
            self.observation_spaces = [whole] * len(self.action_spaces)

    def step(self, actions: Sequence[Native]) -> Turn:
        turn = super().step(actions)
        return turn._replace(rewards=turn.rewards[:1])

    def _observations(self, obs: Shown, infos: Infos) -> Sequence[object]:
        if self._sees_all:
            return [self.env.state()] * len(self.action_spaces)
        return super()._observations(obs, infos)

    def render(self) -> np.ndarray:
        try:
            return super().render()
        except Exception as error:
            raise cannot_draw(error) from error


def pass_on(warning: str) -> None:
    """MuJoCo's warnings, which would go to a file where the program was started."""
    if "settotalmass" not in warning:  # of HalfCheetah's own file; nothing is wrong with it
        warn_once(f"Warning: MuJoCo: {warning}")


def make_segmented(scenario: Scenario, how: dict[str, object]) -> object:
    """A body of as many segments as the agents have, from a file that is not needed for long.

    The package would write it into its own folder, where several workers take it from each other.
    """
    gymnasium = need("gymnasium")
    generate = need(f"{PACKAGE}.{GENERATORS[scenario.name]}").gen_asset
    agents, segments = map(int, scenario.agent_conf.split("x"))
    with temporary_file(".xml") as path:
        generate(n_segs=agents * segments, asset_path=str(path))
        return gymnasium.make(f"{SEGMENTED[scenario.name]}-v{VERSION}", xml_file=str(path), **how)


@contextlib.contextmanager
def temporary_file(suffix: str) -> Iterator[Path]:
    handle, name = tempfile.mkstemp(suffix=suffix)
    os.close(handle)
    try:
        yield Path(name)
    finally:
        os.unlink(name)
