"""Pictures of a fight: frames drawn with Pillow, and animations of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from envs.animation import Colour
from envs.batched import Array
from envs.skirmish.fights import Fights
from envs.skirmish.scenario import Scenario
from envs.skirmish.units import KINDS
from utils.pictures import pillow

if TYPE_CHECKING:  # an optional package
    from PIL.ImageDraw import ImageDraw

GROUND, WALL, DARK = (226, 221, 208), (84, 82, 78), (46, 45, 43)
ALLY, ENEMY = (37, 99, 176), (196, 61, 46)
LIFE, SHIELD, LOST = (66, 160, 71), (96, 178, 226), (120, 116, 110)
SHAPES = {"marine": "M", "marauder": "R", "medivac": "+", "stalker": "S", "zealot": "Z"}
SHAPES |= {"colossus": "C", "hydralisk": "H", "zergling": "", "baneling": "o"}
SHAPES |= {"spine_crawler": "X"}
RECENT = 8  # loops for which an attack is shown
MARGIN = 1.0  # cells shown around the ground
DETAIL = 2  # frames are drawn this many times larger, and then made smooth


class Painter:
    """Draws fights of one scenario, cut to the ground that can be walked."""

    def __init__(self, scenario: Scenario, scale: int = 18) -> None:
        self._cells, self._scale = scenario.terrain.cells, scale * DETAIL
        ys, xs = np.nonzero(self._cells)
        self._left, self._top = xs.min() - MARGIN, ys.max() + 1 + MARGIN
        self._width = xs.max() + 1 + MARGIN - self._left
        self._height = self._top - (ys.min() - MARGIN)

    def frame(self, f: Fights, row: int = 0, caption: str = "") -> Array:
        """One fight as (height, width, 3) uint8."""
        image_module, draw_module = pillow()
        size = round(self._width * self._scale), round(self._height * self._scale)
        image = image_module.new("RGB", size, WALL)
        draw = draw_module.Draw(image)
        self._draw_ground(draw)
        for slot in np.flatnonzero(f.alive[row]):
            self._draw_shot(draw, f, row, int(slot))
        order = np.argsort(f.layer[row], kind="stable")  # who flies is above
        for slot in order[f.alive[row][order]]:
            self._draw_unit(draw, f, row, int(slot))
        if caption:
            draw.text((8 * DETAIL, 4 * DETAIL), caption, fill="white", font_size=12 * DETAIL)
        small = size[0] // DETAIL, size[1] // DETAIL
        return np.asarray(image.resize(small, image_module.Resampling.LANCZOS))

    def _at(self, x: float, y: float) -> tuple[float, float]:
        return (x - self._left) * self._scale, (self._top - y) * self._scale

    def _draw_ground(self, draw: ImageDraw) -> None:
        for y, x in np.argwhere(self._cells):
            left, bottom = self._at(x, y)
            draw.rectangle((left, bottom - self._scale, left + self._scale, bottom), fill=GROUND)

    def _draw_shot(self, draw: ImageDraw, f: Fights, row: int, slot: int) -> None:
        """A line to the target of whoever has just attacked."""
        target = int(f.target[row, slot])
        fresh = f.period[row, slot] - f.cooldown[row, slot] < RECENT
        if target < 0 or not fresh or f.cooldown[row, slot] <= 0:
            return
        ends = [self._at(float(f.x[row, s]), float(f.y[row, s])) for s in (slot, target)]
        colour = ALLY if slot < f.n_agents else ENEMY
        draw.line(ends, fill=colour, width=max(1, self._scale // 14))

    def _draw_unit(self, draw: ImageDraw, f: Fights, row: int, slot: int) -> None:
        """A disc in the team's colour, with a letter for the kind and bars of life and shield."""
        x, y = self._at(float(f.x[row, slot]), float(f.y[row, slot]))
        r = float(f.radius[row, slot]) * self._scale
        colour = ALLY if slot < f.n_agents else ENEMY
        draw.ellipse((x - r, y - r, x + r, y + r), fill=colour, outline=DARK, width=DETAIL)
        letter = SHAPES[KINDS[f.kind[row, slot]]]
        if letter:
            draw.text((x, y), letter, fill="white", anchor="mm", font_size=1.1 * r)
        self._draw_bar(draw, x, y - r, r, f.health[row, slot] / f.life[row, slot], LIFE)
        if f.shield_max[row, slot] > 0:
            share = f.shield[row, slot] / f.shield_max[row, slot]
            self._draw_bar(draw, x, y - r - 3.5 * DETAIL, r, share, SHIELD)

    @staticmethod
    def _draw_bar(
        draw: ImageDraw, x: float, y: float, r: float, share: float, colour: Colour
    ) -> None:
        top, bottom = y - 5 * DETAIL, y - 2 * DETAIL
        draw.rectangle((x - r, top, x + r, bottom), fill=LOST)
        draw.rectangle((x - r, top, x - r + 2 * r * float(share), bottom), fill=colour)


def film(scenario: Scenario, history: list[Fights], scale: int = 18) -> list[Array]:
    """A frame for each moment of one episode; every moment is a batch of one fight."""
    painter = Painter(scenario, scale)
    frames = []
    for step, moment in enumerate(history):
        N = moment.n_agents
        left = moment.alive[0, :N].sum(), moment.alive[0, N:].sum()
        caption = f"Skirmish {scenario.name}   step {step}   {left[0]} against {left[1]}"
        frames.append(painter.frame(moment, 0, caption))
    return frames
