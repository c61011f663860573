"""SMAC's 23 maps: who fights whom, where, and for how long.

Ground is written as rows: "8-23: 0-31" means that cells with y from 8 to 23 and x from 0 to 31 may
be walked. The data are those of SMAC's map files.
"""

from __future__ import annotations

from dataclasses import dataclass

SIZE = 32  # cells a side, on every map
Team = tuple[tuple[str, int], ...]  # kind and number, in the order of slots
Point = tuple[float, float]

BAND = "8-23: 0-31"
OPEN = "0-31: 0-31"
CORRIDOR = """2-11: 2-11; 12-13: 12-13; 14-15: 14-25; 16-17: 14-27; 18-21: 12-29; 22-23: 14-29;
24-25: 16-29; 26-27: 18-29; 28-29: 20-29"""
BANELINGS = """2-3: 2-7; 4-7: 2-11; 8-11: 4-15; 12-15: 8-19; 16-17: 10-19; 18-21: 14-25;
22-23: 16-29; 24-27: 20-29; 28-29: 22-29"""
RING = """6-7: 4-27; 8-9: 2-29; 10-11: 0-31; 12-13: 0-3, 28-31; 14-15: 0-31; 16-17: 2-29;
18-19: 8-23"""
ARENA = "6-7: 10-21; 8-9: 8-23; 10-21: 6-25; 22-23: 8-23; 24-25: 10-21"
YARD = "6-23: 8-21"  # the inner arena; the maps' outer ring cannot be reached


@dataclass(frozen=True)
class Map:
    """One scenario. Spawns are points, for each kind or for each unit of the team in turn."""

    name: str
    allies: Team
    enemies: Team
    limit: int  # steps of an episode
    ground: str = BAND
    ally_spawns: tuple[Point, ...] = ((9, 16),)
    enemy_spawns: tuple[Point, ...] = ((23, 16),)
    attack_point: Point | None = (9, 16)  # where the enemies go, fighting; None: they stay
    hunts: bool = False  # they go for the ally units wherever these are
    # The mouth of a narrow passage that few enemies reach at a time, and the way into it.
    choke: tuple[Point, Point] | None = None
    ally_types: tuple[str, ...] = ()  # the order of SMAC's one-hot of types
    enemy_types: tuple[str, ...] = ()

    @property
    def n_agents(self) -> int:
        return sum(count for _, count in self.allies)

    @property
    def n_enemies(self) -> int:
        return sum(count for _, count in self.enemies)


def _marines(name: str, allies: int, enemies: int, limit: int) -> Map:
    return Map(name, (("marine", allies),), (("marine", enemies),), limit)


def _mixed(name: str, allies: Team, enemies: Team, limit: int, enemy_types: str) -> Map:
    order = tuple(sorted(kind for kind, _ in allies))
    return Map(name, allies, enemies, limit, ally_types=order, enemy_types=_words(enemy_types))


def _words(text: str) -> tuple[str, ...]:
    return tuple(text.split())


def _stalkers(enemies: int, limit: int) -> Map:
    name = f"3s_vs_{enemies}z"
    return Map(name, (("stalker", 3),), (("zealot", enemies),), limit, OPEN)


PROTOSS = "zealot stalker"  # SMAC numbers the enemies' types by game ids: zealots come first
MMM = "marauder marine medivac"

ALL = (
    _marines("3m", 3, 3, 60),
    _marines("8m", 8, 8, 120),
    _marines("25m", 25, 25, 150),
    _marines("5m_vs_6m", 5, 6, 70),
    _marines("8m_vs_9m", 8, 9, 120),
    _marines("10m_vs_11m", 10, 11, 150),
    _marines("27m_vs_30m", 27, 30, 180),
    _mixed(
        "MMM",
        (("marauder", 2), ("marine", 7), ("medivac", 1)),
        (("marauder", 2), ("marine", 7), ("medivac", 1)),
        150,
        MMM,
    ),
    _mixed(
        "MMM2",
        (("marauder", 2), ("marine", 7), ("medivac", 1)),
        (("marauder", 3), ("marine", 8), ("medivac", 1)),
        180,
        MMM,
    ),
    _mixed("2s3z", (("stalker", 2), ("zealot", 3)), (("stalker", 2), ("zealot", 3)), 120, PROTOSS),
    _mixed("3s5z", (("stalker", 3), ("zealot", 5)), (("stalker", 3), ("zealot", 5)), 150, PROTOSS),
    _mixed(
        "3s5z_vs_3s6z",
        (("stalker", 3), ("zealot", 5)),
        (("stalker", 3), ("zealot", 6)),
        170,
        PROTOSS,
    ),
    _stalkers(3, 150),
    _stalkers(4, 200),
    _stalkers(5, 250),
    _mixed(
        "1c3s5z",
        (("colossus", 1), ("stalker", 3), ("zealot", 5)),
        (("colossus", 1), ("stalker", 3), ("zealot", 5)),
        180,
        "colossus stalker zealot",
    ),
    Map(
        "2m_vs_1z",
        (("marine", 2),),
        (("zealot", 1),),
        150,
        ARENA,
        ((13, 12), (19, 12)),
        ((16, 19),),
        (16, 12),
    ),
    Map(
        "corridor",
        (("zealot", 6),),
        (("zergling", 24),),
        400,
        CORRIDOR,
        ((19.04, 19.12),),
        ((27.91, 28.24),),
        (4.47, 4.33),
        choke=((14.5, 14.5), (-1, -1)),
    ),
    Map(
        "6h_vs_8z",
        (("hydralisk", 6),),
        (("zealot", 8),),
        150,
        YARD,
        ((14.6, 9.49),),
        ((14.41, 16.76),),
        (14.6, 9.49),
    ),
    Map(
        "2s_vs_1sc",
        (("stalker", 2),),
        (("spine_crawler", 1),),
        300,
        YARD,
        ((11.12, 10.34), (16.98, 10.37)),
        ((13.92, 20.04),),
        None,
    ),
    Map(
        "so_many_baneling",
        (("zealot", 7),),
        (("baneling", 32),),
        100,
        BANELINGS,
        ((11.47, 12.02),),
        ((27.91, 28.24),),
        (4.47, 4.33),
    ),
    Map(
        "bane_vs_bane",
        (("baneling", 4), ("zergling", 20)),
        (("baneling", 4), ("zergling", 20)),
        200,
        ARENA,
        ((16, 8), (16, 11)),
        ((16, 24), (16, 21)),
        (16, 8),
        ally_types=("baneling", "zergling"),
        enemy_types=("baneling", "zergling"),
    ),
    Map(
        "2c_vs_64zg",
        (("colossus", 2),),
        (("zergling", 64),),
        400,
        RING,
        ((16, 16),),
        ((16, 9),),
        None,
        hunts=True,
    ),
)
MAPS = {each.name: each for each in ALL}


PAPER = {  # the SMAC paper's classes
    "easy": ("2s_vs_1sc", "2s3z", "3s5z", "1c3s5z", "10m_vs_11m"),
    "hard": ("2c_vs_64zg", "bane_vs_bane", "5m_vs_6m", "3s_vs_5z"),
    "super hard": ("3s5z_vs_3s6z", "6h_vs_8z", "27m_vs_30m", "MMM2", "corridor"),
}
