"""Two interfaces of other packages under one face: lists with an entry for each agent."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, Protocol

import numpy as np

from envs.suites.foreign import GymnasiumEnv, Infos, Native, ParallelEnv, Shown, Space
from envs.values import Choices, Info
from utils.errors import UserError


class Turn(NamedTuple):
    """What came of one step."""

    obs: Sequence[object]
    rewards: list[float]
    terminated: bool  # the task ended
    truncated: bool  # time ended the episode
    info: Info


class Game(Protocol):
    """The face."""

    observation_spaces: list[Space]
    action_spaces: list[Space]

    def reset(self, seed: int) -> Sequence[object]:
        """Start an episode that depends on `seed` alone; the observations."""

    def step(self, actions: Sequence[Native]) -> Turn:
        """One action for each agent, as its space has them."""

    def state(self) -> np.ndarray | None:
        """What training may see; None where the package has nothing but observations."""

    def masks(self) -> Sequence[Choices] | None:
        """0/1 for each agent's discrete actions; None where all are always available."""

    def render(self) -> np.ndarray:
        """A picture of the present situation, (height, width, 3) uint8."""

    def close(self) -> None: ...


class ParallelGame:
    """A parallel environment of PettingZoo's interface. Agents that left see zeros."""

    def __init__(self, env: ParallelEnv) -> None:
        self.env = env
        self._agents = list(env.possible_agents)
        self.observation_spaces = [observed(env.observation_space(name)) for name in self._agents]
        self.action_spaces = [env.action_space(name) for name in self._agents]
        self._blank = [
            np.zeros(space.shape or (), space.dtype) for space in self.observation_spaces
        ]
        self._masks: dict[str, np.ndarray] = {}

    def reset(self, seed: int) -> Sequence[object]:
        obs, infos = self.env.reset(seed=seed)
        return self._observations(obs, infos)

    def step(self, actions: Sequence[Native]) -> Turn:
        """An end is by time if it ended the episode of anybody who was not done."""
        present = set(self.env.agents)
        moves = {n: a for n, a in zip(self._agents, actions, strict=True) if n in present}
        obs, rewards, ended, cut, infos = self.env.step(moves)
        over = not self.env.agents
        by_time = over and any(cut[name] and not ended[name] for name in cut)
        return Turn(
            self._observations(obs, infos),
            [float(rewards.get(name, 0.0)) for name in self._agents],
            over and not by_time,
            by_time,
            infos.get(self._agents[0], {}),
        )

    def _observations(self, obs: Shown, infos: Infos) -> Sequence[object]:
        self._masks.clear()
        shown = []
        for name, blank in zip(self._agents, self._blank, strict=True):
            seen = obs.get(name, blank)
            if isinstance(seen, dict):  # PettingZoo's way to say which actions are available
                self._masks[name] = seen["action_mask"]
                seen = seen["observation"]
            elif "action_mask" in infos.get(name, {}):
                self._masks[name] = infos[name]["action_mask"]
            shown.append(seen)
        return shown

    def state(self) -> np.ndarray | None:
        try:
            return np.asarray(self.env.state())
        except (AttributeError, NotImplementedError):
            return None

    def masks(self) -> Sequence[Choices] | None:
        """Who left may only do the first action, which nobody carries out."""
        if not self._masks:
            return None
        spaces = zip(self._agents, self.action_spaces, strict=True)
        return [self._masks.get(name, np.eye(1, space.n)[0]) for name, space in spaces]

    def render(self) -> np.ndarray:
        return self.env.render()

    def close(self) -> None:
        self.env.close()


class GymnasiumGame:
    """A Gymnasium environment: of several agents if its spaces are tuples, else of one."""

    def __init__(self, env: GymnasiumEnv) -> None:
        self.env = env
        self._team = is_tuple(env.action_space)
        if self._team and not is_tuple(env.observation_space):
            raise UserError(
                f"The actions are {env.action_space}, and the observations "
                f"{env.observation_space}. Of several agents, both must be tuples."
            )
        self.observation_spaces = (
            list(env.observation_space.spaces) if self._team else [env.observation_space]
        )
        self.action_spaces = list(env.action_space.spaces) if self._team else [env.action_space]

    def reset(self, seed: int) -> Sequence[object]:
        obs, _ = self.env.reset(seed=seed)
        return list(obs) if self._team else [obs]

    def step(self, actions: Sequence[Native]) -> Turn:
        obs, reward, terminated, truncated, info = self.env.step(
            tuple(actions) if self._team else actions[0]
        )
        rewards = np.atleast_1d(np.asarray(reward, float)).tolist()
        ended, cut = bool(np.any(terminated)), bool(np.any(truncated))
        return Turn(list(obs) if self._team else [obs], rewards, ended, cut, info)

    def state(self) -> np.ndarray | None:
        return None

    def masks(self) -> Sequence[Choices] | None:
        return None

    def render(self) -> np.ndarray:
        return self.env.render()

    def close(self) -> None:
        self.env.close()


def is_tuple(space: Space) -> bool:
    """Whether it has an entry for each agent."""
    return isinstance(getattr(space, "spaces", None), tuple | list)


def observed(space: Space) -> Space:
    """The space of what is seen, where it stands beside that of a mask."""
    parts = getattr(space, "spaces", None)
    if isinstance(parts, dict) and {"observation", "action_mask"} <= set(parts):
        return parts["observation"]
    return space
