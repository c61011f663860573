"""Where one may walk, and which way round.

Ways are planned between blocks of 2 x 2 cells, of which every map is made, and stored as a table:
for a unit in one block that wants to get to another, the farthest block on the shortest way that it
can walk to in a straight line.
"""

from __future__ import annotations

import functools

import numpy as np

from envs.batched import Array
from envs.skirmish.maps import SIZE

PAD = 2  # closed cells around the map, so that no step of a unit leaves the table
WIDTH = SIZE + 2 * PAD
GROUND, AIR = 0, WIDTH * WIDTH  # where the layers of `Terrain.open` begin
BLOCKS = SIZE // 2  # blocks a side
DIAGONAL = float(np.sqrt(2))
STEPS = [(1, 0), (-1, 0), (0, 1), (0, -1), (1, 1), (1, -1), (-1, 1), (-1, -1)]
SIDE = 0.4  # room that a unit needs left and right of a straight way
SAMPLES = 96  # points at which a straight way is looked at


def walkable(ground: str) -> Array:
    """(SIZE, SIZE) bool by [y, x], from rows such as "12-13: 0-3, 28-31"."""
    cells = np.zeros((SIZE, SIZE), bool)
    for row in ground.split(";"):
        ys, columns = row.split(":")
        y0, y1 = map(int, ys.split("-"))
        for xs in columns.split(","):
            x0, x1 = map(int, xs.split("-"))
            cells[y0 : y1 + 1, x0 : x1 + 1] = True
    return _open_corners(cells)


def _open_corners(cells: Array) -> Array:
    """Where open ground touches only at a corner, the two cells beside it are opened.

    The game's map smooths such corners; as they are, nothing could pass.
    """
    a, b, c, d = cells[:-1, :-1], cells[:-1, 1:], cells[1:, :-1], cells[1:, 1:]
    corner = (a & d & ~b & ~c) | (b & c & ~a & ~d)
    opened = cells.copy()
    for ys in (slice(0, -1), slice(1, None)):
        for xs in (slice(0, -1), slice(1, None)):
            opened[ys, xs] |= corner
    return opened


class Terrain:
    """Tables of one map; made once, shared by all its fights."""

    def __init__(self, ground: str) -> None:
        self.cells = walkable(ground)
        layers = np.stack([self.cells, np.ones_like(self.cells)])
        self.open = np.pad(layers, [(0, 0), (PAD, PAD), (PAD, PAD)]).reshape(-1)  # both layers
        ys, xs = np.nonzero(self.cells)
        self.middle = np.array([xs.mean(), ys.mean()]) + 0.5
        # In a rectangle every way is straight.
        self.convex = len(ys) == (np.ptp(ys) + 1) * (np.ptp(xs) + 1)
        self.waypoints = np.zeros((1, 1), np.int64) if self.convex else _waypoints(self.cells)

    def layer_index(self, place: Array) -> Array:
        """Index into a layer of `open` for points (2, ...); add GROUND or AIR."""
        cell = np.add(place, PAD, dtype=np.float32).astype(np.int64)
        return cell[1] * WIDTH + cell[0]

    def is_open(self, place: Array, layer: Array | int = GROUND) -> Array:
        """Whether points (2, ...) that are at most PAD off the map can be stood on."""
        return self.open.take(self.layer_index(place) + layer)

    def detour(self, place: Array, aim: Array) -> tuple[Array, Array]:
        """Where to walk (2, ...) in order to get to `aim`, and whether that is not straight."""
        here, there = block_of(place), block_of(aim)
        way = self.waypoints.reshape(-1).take(here * (BLOCKS * BLOCKS) + there)
        crooked = way != there
        return np.where(crooked, centre_of(way), aim), crooked

    def nearest_open(self, point: tuple[float, float]) -> tuple[float, float]:
        """The point itself, or the centre of the nearest open cell."""
        if self.is_open(np.array(point, np.float32)):
            return point
        ys, xs = np.nonzero(self.cells)
        best = ((xs + 0.5 - point[0]) ** 2 + (ys + 0.5 - point[1]) ** 2).argmin()
        return float(xs[best] + 0.5), float(ys[best] + 0.5)


@functools.cache
def terrain_of(ground: str) -> Terrain:
    return Terrain(ground)


def block_of(place: Array) -> Array:
    """The number of the block that a point (2, ...) is in."""
    cell = np.multiply(place, 0.5, dtype=np.float32).astype(np.int64)
    return cell[1] * BLOCKS + cell[0]


def centre_of(block: Array) -> Array:
    """(2, ...) float32"""
    return np.stack([block % BLOCKS, block // BLOCKS]).astype(np.float32) * 2 + 1


def _waypoints(cells: Array) -> Array:
    """(blocks, blocks): the first corner of the shortest way from one block to another."""
    nodes = cells[::2, ::2].reshape(-1)
    following = _next_blocks(cells, _distances(cells))
    clear = _clear_ways(cells, nodes)
    everywhere = np.arange(len(nodes))
    way = following.copy()
    while True:  # go on along the way for as long as one can see the starting point
        further = following[way, everywhere]
        sees = clear[everywhere[:, None], further] & (further != way)
        if not sees.any():
            return way
        way = np.where(sees, further, way)


def _neighbour(values: Array, dx: int, dy: int) -> Array:
    """`values` (..., y, x) of the block at (+dx, +dy), infinite beyond the edge."""
    padded = np.pad(values, [(0, 0)] * (values.ndim - 2) + [(1, 1), (1, 1)], constant_values=np.inf)
    return padded[..., 1 + dy : 1 + dy + BLOCKS, 1 + dx : 1 + dx + BLOCKS]


def _costs(cells: Array) -> Array:
    """(8, y, x) cost of each step from each block: infinite into walls and around their corners."""
    wall = np.where(cells[::2, ::2], 0.0, np.inf)
    padded = np.pad(np.where(cells, 0.0, np.inf), 2, constant_values=np.inf)
    costs = []
    for dx, dy in STEPS:
        cost = _neighbour(wall, dx, dy) + (DIAGONAL if dx and dy else 1.0)
        if dx and dy:  # both cells beside the corner that is walked over must be open
            x_in, x_out = (1, 2) if dx > 0 else (0, -1)
            y_in, y_out = (1, 2) if dy > 0 else (0, -1)
            cost += _every_block(padded, x_out, y_in) + _every_block(padded, x_in, y_out)
        costs.append(cost)
    return np.stack(costs)


def _every_block(padded: Array, x: int, y: int) -> Array:
    """(y, x) of every block the cell at (x, y) from its first one; `padded` by 2."""
    return padded[2 + y :: 2, 2 + x :: 2][:BLOCKS, :BLOCKS]


def _distances(cells: Array) -> Array:
    """(goal, y, x) length of the shortest way from each block to each goal."""
    costs = _costs(cells)
    goals = np.arange(BLOCKS * BLOCKS)
    distance = np.full((len(goals), BLOCKS, BLOCKS), np.inf)
    distance.reshape(len(goals), -1)[goals, goals] = 0
    while True:
        shorter = distance
        for cost, (dx, dy) in zip(costs, STEPS, strict=True):
            shorter = np.minimum(shorter, _neighbour(distance, dx, dy) + cost)
        if np.array_equal(shorter, distance):
            return distance
        distance = shorter


def _next_blocks(cells: Array, distance: Array) -> Array:
    """(from, goal) the next block on the way; the goal itself where there is none."""
    n = BLOCKS * BLOCKS
    ways = np.stack(
        [
            (_neighbour(distance, dx, dy) + cost).reshape(n, n)
            for cost, (dx, dy) in zip(_costs(cells), STEPS, strict=True)
        ]
    )  # (8, goal, from)
    shift = np.array([dx + dy * BLOCKS for dx, dy in STEPS])
    following = np.arange(n) + shift[ways.argmin(axis=0)]
    goals = np.arange(n)[:, None]
    there = (goals == np.arange(n)) | ~np.isfinite(ways.min(axis=0))
    return np.where(there, goals, following).T


def _clear_ways(cells: Array, nodes: Array) -> Array:
    """(from, to) whether one can walk straight between the centres of two blocks."""
    centre = centre_of(np.arange(len(nodes)))
    way = centre[:, None, :] - centre[:, :, None]  # (2, from, to)
    length = np.maximum(np.hypot(*way), 1e-6)
    across = SIDE * np.stack([-way[1], way[0]]) / length
    clear = nodes[:, None] & nodes[None]
    for part in np.linspace(0, 1, SAMPLES):
        point = centre[:, :, None] + part * way
        for side in (-1, 0, 1):
            x, y = (point + side * across).astype(np.int64)
            clear &= cells[y, x]
    return clear
