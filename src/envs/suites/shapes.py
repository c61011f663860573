"""Agents of unequal sizes made alike: observations and actions are padded, padding is masked."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from envs.batched import Array
from envs.spaces import Box, interval
from envs.suites.foreign import Native, Space
from utils.errors import UserError


class Shapes:
    """From a package's spaces, one for each agent, to sizes that all agents share.

    Missing observations are 0. Missing discrete actions are never available; missing parts of
    continuous actions have the bounds 0 and 0, so that every policy leaves them at 0.
    """

    def __init__(
        self,
        observation_spaces: Sequence[Space],
        action_spaces: Sequence[Space],
        unit_actions: bool,
    ) -> None:
        self._observation_spaces = observation_spaces
        self.n_agents = len(action_spaces)
        self.obs_sizes = _flat_sizes(observation_spaces)
        if len(self.obs_sizes) != self.n_agents:
            raise UserError(
                f"There are {len(self.obs_sizes)} observations for the actions of {self.n_agents} "
                "agents. There must be one of each for every agent."
            )
        self.continuous = _kind(action_spaces) == "Box"
        if self.continuous:
            self.action_sizes = [int(np.prod(space.shape)) for space in action_spaces]
        else:
            self.action_sizes = [int(space.n) for space in action_spaces]
            self._start = [int(space.start) for space in action_spaces]
        self.obs_size, self.n_actions = max(self.obs_sizes), max(self.action_sizes)
        self.available = np.zeros((self.n_agents, self.n_actions), np.uint8)
        for agent, size in enumerate(self.action_sizes):
            self.available[agent, :size] = 1
        self._action_shapes = [space.shape for space in action_spaces]
        self._unit = unit_actions
        if self.continuous:
            self._bounds = [_bounds(space, i) for i, space in enumerate(action_spaces)]
            self.boxes = [self._box(agent) for agent in range(self.n_agents)]

    def _box(self, agent: int) -> Box:
        """What the learner is told: the package's bounds or [-1, 1], and 0 where nothing is."""
        box = interval(0.0, 0.0, self.n_actions)
        size = self.action_sizes[agent]
        low, high = self._bounds[agent]
        box.low[:size], box.high[:size] = (-1.0, 1.0) if self._unit else (low, high)
        return box

    @property
    def notices(self) -> list[str]:
        """What was padded, in words."""
        said = []
        for what, sizes in (("observations", self.obs_sizes), ("actions", self.action_sizes)):
            if len(set(sizes)) > 1:
                listed = ", ".join(map(str, sizes))
                said.append(f"{what} of {listed} numbers are padded to {max(sizes)}.")
        return said

    def observation(self, agent: int, seen: object, place: Array) -> None:
        """Write one agent's observation into `place` (O,), which holds zeros beyond it."""
        space = self._observation_spaces[agent]
        place[: self.obs_sizes[agent]] = flat(space, seen)

    def action(self, agent: int, chosen: Native) -> Native:
        """The learner's action in the package's terms."""
        if not self.continuous:
            return int(chosen) + self._start[agent]
        own = np.asarray(chosen, float)[: self.action_sizes[agent]]
        if self._unit:
            low, high = self._bounds[agent]
            own = low + (high - low) * (own + 1) / 2
        return own.astype(np.float32).reshape(self._action_shapes[agent])


def flat_size(space: Space) -> int:
    """Numbers in an observation."""
    if type(space).__name__ == "Box":
        return int(np.prod(space.shape))
    from gymnasium.spaces import flatdim

    return int(flatdim(space))


def _flat_sizes(spaces: Sequence[Space]) -> list[int]:
    """Of all agents; those that cannot be vectors, or show nothing to anybody, are refused."""
    try:
        sizes = [flat_size(space) for space in spaces]
    except (ValueError, NotImplementedError) as error:
        listed = ", ".join(map(str, spaces))
        raise UserError(
            f"The agents' observations are {listed}. Each must have a fixed number of numbers."
        ) from error
    if not any(sizes):
        raise UserError("The agents observe nothing: all observations have 0 numbers.")
    return sizes


def flat(space: Space, seen: object) -> Array:
    """An observation as one vector: choices become one-hots."""
    if type(space).__name__ == "Box":
        return np.asarray(seen).reshape(-1)
    from gymnasium.spaces import flatten

    return np.asarray(flatten(space, seen))


def _kind(action_spaces: Sequence[Space]) -> str:
    kinds = {type(space).__name__ for space in action_spaces}
    if len(kinds) > 1 or not kinds <= {"Box", "Discrete"}:
        raise UserError(
            f"The agents' actions are {', '.join(sorted(kinds))}. All must be Discrete, or all Box."
        )
    return kinds.pop()


def _bounds(space: Space, agent: int) -> tuple[Array, Array]:
    """Flat (low, high)."""
    if np.dtype(space.dtype).kind != "f":
        raise UserError(f"Agent {agent}'s actions are {space}. Numbers in a Box must be floats.")
    low, high = (np.asarray(end, np.float32).reshape(-1) for end in (space.low, space.high))
    if not (np.isfinite(low).all() and np.isfinite(high).all()):
        raise UserError(f"Agent {agent}'s actions have no bounds: {space}. Bounds are needed.")
    return low, high
