"""A game of another package as this project's environment."""

from __future__ import annotations

import logging
import math
import re
from collections.abc import Sequence
from typing import ClassVar

import numpy as np

from envs.animation import Screen
from envs.batched import Array
from envs.multiagentenv import MultiAgentEnv, RunFacts
from envs.suites.foreign import Native
from envs.suites.games import Game
from envs.suites.mirror import Mirror
from envs.suites.packages import versions
from envs.suites.scaling import Scaling, measure
from envs.suites.shapes import Shapes
from envs.values import Actions, EnvArgs, EnvInfo, Info
from utils.errors import UserError

log = logging.getLogger("pymarlk")
MOST_FRAMES = 150  # of an animation; longer episodes are shown at a quicker pace


class TeamEnv(MultiAgentEnv):
    """Subclasses say how to `make_game`; sizes, time, rewards, seeds and replays are done here.

    An episode is decided by its seed and its actions, so pictures come from a second game that can
    be seen and plays it again. Training pays nothing for that.
    """

    packages: tuple[str, ...] = ("gymnasium",)  # whose versions a run's record has
    frames_per_second: ClassVar[float] = 8

    def __init__(
        self,
        title: str,
        episode_limit: int,
        seed: int | None,
        reward_scalarisation: str = "sum",
        unit_actions: bool = False,
        normalise_obs: bool = False,
        replay_format: str = "gif",
        replay_dir: str = "",
    ) -> None:
        if episode_limit < 1:
            raise UserError(f"The time limit is {episode_limit}; it must be at least 1.")
        if reward_scalarisation not in ("sum", "mean"):
            raise UserError(
                f"reward_scalarisation is {reward_scalarisation!r}; it can be 'sum' or 'mean'."
            )
        self.title, self.episode_limit = title, episode_limit
        self._scalarisation = reward_scalarisation
        self._screen = Screen(title, replay_dir, replay_format, self.frames_per_second)
        self._mirror: Mirror | None = None  # of what a window shows
        self._scaling: Scaling | None = None
        self._seeds = np.random.default_rng(seed)
        self._next_seed: int | None = None
        self._game = self.make_game(seen=False)
        self._shapes = Shapes(self._game.observation_spaces, self._game.action_spaces, unit_actions)
        self.n_agents = self._shapes.n_agents
        self.notices = list(self._shapes.notices)
        self.reset()
        if normalise_obs:
            self._scaling = measure(self)
            self.reset()

    def make_game(self, seen: bool) -> Game:
        """A fresh game; with `seen`, one that can render."""
        raise NotImplementedError

    @classmethod
    def preflight(cls, env_args: EnvArgs, n_envs: int) -> RunFacts:
        """The task and the packages, from one environment made for the purpose."""
        from envs.build import construct

        quick = {**env_args, "normalise_obs": False}  # nothing to measure for it
        env = construct(cls.__name__.lower(), cls, quick)
        env.close()
        found = versions(dict.fromkeys(env.packages))
        return RunFacts(
            head=env.title,
            details=", ".join(f"{name} {version}" for name, version in found.items()),
            record={"task": env.title, "packages": found},
            warnings=env.notices,
        )

    # Episodes

    def reseed(self, seed: int) -> None:
        """Make the next `reset()` depend on `seed` alone."""
        self._next_seed = seed

    def reset(self) -> tuple[list[Array], Array]:
        seed, self._next_seed = self._next_seed, None
        self._seed = int(self._seeds.integers(2**31)) if seed is None else int(seed) % 2**31
        self._actions: list[list[Native]] = []  # of the present episode, for a replay
        self._return = 0.0
        self._show(self._game.reset(self._seed))
        return self.get_obs(), self.get_state()

    def step(self, actions: Actions) -> tuple[float, bool, Info]:
        native = [self._shapes.action(agent, chosen) for agent, chosen in enumerate(actions)]
        self._actions.append(native)
        turn = self._game.step(native)
        self._show(turn.obs)
        reward = scalar(turn.rewards, self._scalarisation)
        self._return += reward
        by_time = turn.truncated or len(self._actions) >= self.episode_limit
        ended = turn.terminated or by_time
        info = numbers_in(turn.info) if ended else {}  # statistics are of last steps
        if ended and not turn.terminated:
            info["episode_limit"] = True
        return reward, ended, info

    def _show(self, obs: Sequence[object]) -> None:
        """Keep the present situation; earlier ones stay as they were given out."""
        self._obs = np.zeros((self.n_agents, self._shapes.obs_size), np.float32)
        for agent, seen in enumerate(obs):
            self._shapes.observation(agent, seen, self._obs[agent])
        state = self._game.state()
        self._state = self._obs.reshape(-1) if state is None else state.reshape(-1)
        if self._scaling is not None:
            self._obs, self._state = self._scaling.apply(self._obs, self._state)

    # What there is to see

    def get_obs(self) -> list[Array]:
        return list(self._obs)

    def get_obs_agent(self, agent_id: int) -> Array:
        return self._obs[agent_id]

    def get_obs_size(self) -> int:
        return self._obs.shape[1]

    def get_state(self) -> Array:
        return self._state

    def get_state_size(self) -> int:
        return self._state.size

    def get_avail_actions(self) -> list[Array]:
        masks = self._game.masks()
        if masks is None:
            return list(self._shapes.available)
        available = np.zeros_like(self._shapes.available)
        for agent, mask in enumerate(masks):
            available[agent, : len(mask)] = mask
        return list(available)

    def get_avail_agent_actions(self, agent_id: int) -> Array:
        return self.get_avail_actions()[agent_id]

    def get_total_actions(self) -> int:
        return self._shapes.n_actions

    def get_env_info(self) -> EnvInfo:
        info = super().get_env_info()
        if self._shapes.continuous:
            info |= {
                "action_spaces": self._shapes.boxes,
                "actions_dtype": np.float32,
                "normalise_actions": False,  # FACMAC's word for actions that sum to one
            }
        return info

    # Pictures

    def render(self) -> None:
        """The present situation, in a window."""
        if self._mirror is None:
            self._mirror = Mirror(self.make_game(seen=True))
        self._screen.show(self._mirror.picture(self._seed, self._actions, len(self._actions)))

    def save_replay(self) -> str:
        """An animation of the latest episode."""
        mirror = Mirror(self.make_game(seen=True))
        try:
            frames = self._film(mirror)
        finally:
            mirror.close()
        return self._screen.save(frames, re.sub(r"[^\w.-]+", "_", f"{self.title}_{self._seed}"))

    def _film(self, mirror: Mirror) -> list[Array]:
        """The episode once more; a long one at a quicker pace."""
        steps = len(self._actions)
        shown = [*range(0, steps, 1 + steps // MOST_FRAMES), steps]
        frames = [mirror.picture(self._seed, self._actions, t) for t in shown]
        returned = sum(scalar(rewards, self._scalarisation) for rewards in mirror.rewards)
        if not np.isclose(returned, self._return):
            log.warning(
                f"Warning: {self.title} is not decided by its seed: the episode returned "
                f"{self._return:.4g}, and {returned:.4g} when it was played again for the film."
            )
        return frames

    def close(self) -> None:
        self._game.close()
        if self._mirror is not None:
            self._mirror.close()


def scalar(rewards: Sequence[float], how: str) -> float:
    """The team's reward; one that is paid once for all agents stays as it is."""
    total = float(np.sum(rewards))
    return total if how == "sum" else total / len(rewards)


def numbers_in(info: Info) -> Info:
    """The entries that can be averaged over episodes."""
    return {
        key: value
        for key, value in info.items()
        if isinstance(value, float | int | np.bool_ | np.number) and math.isfinite(value)
    }
