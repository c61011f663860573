"""Who meets whom, where, on the maps of SMAC; the numbers are those of the published maps."""

from __future__ import annotations

from dataclasses import dataclass

Point = tuple[float, float]


@dataclass(frozen=True)
class Kind:
    """One type of unit."""

    number: int  # of the live game
    life: float
    shield: float
    reach: float  # how far it shoots
    damage: float
    pause: int  # game loops between two shots
    speed: float  # a game loop
    energy: float = 0.0


# Reach, damage and pause are rough: the fight only has to end.
KINDS = {
    "marine": Kind(48, 45, 0, 5, 6, 10, 0.14),
    "marauder": Kind(51, 125, 0, 6, 10, 17, 0.14),
    "medivac": Kind(54, 150, 0, 4, 0, 16, 0.17, energy=50),
    "zealot": Kind(73, 100, 50, 1, 16, 14, 0.14),
    "stalker": Kind(74, 80, 80, 6, 13, 21, 0.18),
    "colossus": Kind(4, 200, 150, 7, 20, 17, 0.14),
    "zergling": Kind(105, 35, 0, 1, 5, 8, 0.18),
    "baneling": Kind(9, 30, 0, 1, 16, 13, 0.16),
    "hydralisk": Kind(107, 90, 0, 5, 12, 9, 0.14),
    "spine crawler": Kind(98, 300, 0, 7, 25, 21, 0.0),
}
OWN_HYDRALISK_LIFE = 80.0  # frozen in the map, where the live game's has grown to 90
TYPES_OF_SMACV2 = sorted(set(KINDS) - {"spine crawler"})


@dataclass(frozen=True)
class Scenario:
    """The teams of one map and where they appear."""

    allies: dict[str, int]
    enemies: dict[str, int]
    ally_start: Point = (9.0, 16.0)
    enemy_start: Point = (23.0, 16.0)


def _same(**team: int) -> Scenario:
    return Scenario(team, team)


def _marines(allies: int, enemies: int) -> Scenario:
    return Scenario({"marine": allies}, {"marine": enemies})


def _kiting(zealots: int) -> Scenario:
    return Scenario({"stalker": 3}, {"zealot": zealots})


CLIFF = {"enemy_start": (27.91, 28.24)}
SCENARIOS = {
    "3m": _marines(3, 3),
    "8m": _marines(8, 8),
    "25m": _marines(25, 25),
    "5m_vs_6m": _marines(5, 6),
    "8m_vs_9m": _marines(8, 9),
    "10m_vs_11m": _marines(10, 11),
    "27m_vs_30m": _marines(27, 30),
    "MMM": _same(marine=7, marauder=2, medivac=1),
    "MMM2": Scenario(
        {"marine": 7, "marauder": 2, "medivac": 1}, {"marine": 8, "marauder": 3, "medivac": 1}
    ),
    "2s3z": _same(stalker=2, zealot=3),
    "3s5z": _same(stalker=3, zealot=5),
    "3s5z_vs_3s6z": Scenario({"stalker": 3, "zealot": 5}, {"stalker": 3, "zealot": 6}),
    "3s_vs_3z": _kiting(3),
    "3s_vs_4z": _kiting(4),
    "3s_vs_5z": _kiting(5),
    "1c3s5z": _same(colossus=1, stalker=3, zealot=5),
    "2m_vs_1z": Scenario({"marine": 2}, {"zealot": 1}, (16.0, 12.0), (16.0, 19.0)),
    "corridor": Scenario({"zealot": 6}, {"zergling": 24}, (19.04, 19.12), **CLIFF),
    "6h_vs_8z": Scenario({"hydralisk": 6}, {"zealot": 8}, (14.6, 9.49), (14.41, 16.76)),
    "2s_vs_1sc": Scenario({"stalker": 2}, {"spine crawler": 1}, (14.0, 10.35), (13.92, 20.04)),
    "so_many_baneling": Scenario({"zealot": 7}, {"baneling": 32}, (11.47, 12.02), **CLIFF),
    "bane_vs_bane": Scenario(
        {"zergling": 20, "baneling": 4}, {"zergling": 20, "baneling": 4}, (16.0, 10.0), (16.0, 22.0)
    ),
    "2c_vs_64zg": Scenario({"colossus": 2}, {"zergling": 64}, (16.0, 16.0), (16.0, 9.0)),
    "32x32_flat": Scenario({}, {}),  # SMACv2 fills it itself
}
