"""A second game that can be seen, and plays what another one has played."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from envs.batched import Array
from envs.suites.foreign import Native
from envs.suites.games import Game


class Mirror:
    """Pictures of an episode that is decided by its seed and its actions."""

    def __init__(self, game: Game) -> None:
        self._game = game
        self._actions: Sequence[Sequence[Native]] | None = None  # of the episode that it plays
        self.rewards: list[list[float]] = []  # of the steps that it has made

    def picture(self, seed: int, actions: Sequence[Sequence[Native]], t: int) -> Array:
        """What was seen after the first `t` of an episode's actions. (height, width, 3) uint8

        `actions` may grow from one call to the next; another list is another episode.
        """
        if actions is not self._actions or t < len(self.rewards):
            self._game.reset(seed)
            self._actions, self.rewards = actions, []
        for chosen in actions[len(self.rewards) : t]:
            self.rewards.append(self._game.step(chosen).rewards)
        return np.asarray(self._game.render())

    def close(self) -> None:
        self._game.close()
