"""Two grid worlds with ways of their own: their time limits, what a reset forgets, pictures."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from envs.batched import Array
from envs.suites.foreign import GymnasiumEnv
from envs.suites.games import GymnasiumGame
from utils.pictures import pillow

CELL = 28  # pixels
GROUND, LINE, INK = (247, 246, 243), (222, 219, 212), (255, 255, 255)
AGENT, GOAL, FOOD = (37, 99, 176), (240, 196, 80), (196, 61, 46)
SHELF, WANTED = (166, 160, 150), (66, 160, 71)
ARROWS = {"UP": "^", "DOWN": "v", "LEFT": "<", "RIGHT": ">"}


class Foraging(GymnasiumGame):
    """Level-Based Foraging. Its own time limit is put out of reach: it would call it an end."""

    def __init__(self, env: GymnasiumEnv, limit: int) -> None:
        super().__init__(env)
        self._field = env.unwrapped
        self._field._max_episode_steps = limit + 1

    def reset(self, seed: int) -> Sequence[object]:
        """It keeps players' old places while it looks for new ones; seeds would not suffice."""
        for player in self._field.players:
            player.position = None
        return super().reset(seed)

    def render(self) -> Array:
        """Blue players and red food, each with its level."""
        board = Board(*self._field.field.shape)
        for row, column in np.argwhere(self._field.field):
            board.disc(row, column, FOOD, str(self._field.field[row, column]))
        for player in self._field.players:
            row, column = player.position
            board.disc(row, column, AGENT, str(player.level))
        return board.picture()


class Warehouse(GymnasiumGame):
    """RWARE. Its own time limit is put out of reach: it would call it an end."""

    def __init__(self, env: GymnasiumEnv, limit: int) -> None:
        super().__init__(env)
        self._hall = env.unwrapped
        self._hall.max_steps = limit + 1

    def render(self) -> Array:
        """Shelves, those that are wanted in green; goals; agents that point where they look."""
        board = Board(*self._hall.grid_size)
        for x, y in self._hall.goals:
            board.square(y, x, GOAL)
        for shelf in self._hall.shelfs:
            board.square(shelf.y, shelf.x, WANTED if shelf in self._hall.request_queue else SHELF)
        for agent in self._hall.agents:
            board.disc(agent.y, agent.x, AGENT, ARROWS[agent.dir.name])
        return board.picture()


GAMES = {"lbforaging": Foraging, "rware": Warehouse}  # by the module that registers them


class Board:
    """Squares and discs on a grid."""

    def __init__(self, rows: int, columns: int) -> None:
        image_module, draw_module = pillow()
        self._image = image_module.new("RGB", (columns * CELL + 1, rows * CELL + 1), GROUND)
        self._draw = draw_module.Draw(self._image)
        for row in range(rows):
            for column in range(columns):
                self._draw.rectangle(self._box(row, column, 0), outline=LINE)

    def square(self, row: int, column: int, colour: tuple[int, int, int]) -> None:
        self._draw.rectangle(self._box(row, column, 3), fill=colour)

    def disc(self, row: int, column: int, colour: tuple[int, int, int], text: str) -> None:
        self._draw.ellipse(self._box(row, column, 5), fill=colour)
        middle = ((column + 0.5) * CELL, (row + 0.5) * CELL)
        self._draw.text(middle, text, fill=INK, anchor="mm", font_size=CELL // 2)

    def picture(self) -> Array:
        return np.asarray(self._image)

    @staticmethod
    def _box(row: int, column: int, inset: int) -> tuple[int, int, int, int]:
        x, y = column * CELL, row * CELL
        return x + inset, y + inset, x + CELL - inset, y + CELL - inset
