"""SMAC's maps by name, with the first eight digits of each file's SHA-256; SMACv2's scenarios."""

from __future__ import annotations

SMAC_MAPS = {
    "3m": "d6e086e1",
    "8m": "fe806ea9",
    "25m": "94106cd6",
    "5m_vs_6m": "ca31d3f5",
    "8m_vs_9m": "15c9e65e",
    "10m_vs_11m": "774ad6f2",
    "27m_vs_30m": "ce848538",
    "MMM": "4d2c471b",
    "MMM2": "797df232",
    "2s3z": "928d21db",
    "3s5z": "20ce045f",
    "3s5z_vs_3s6z": "9265fe0a",
    "3s_vs_3z": "273328b0",
    "3s_vs_4z": "ebb01d82",
    "3s_vs_5z": "d63c713a",
    "1c3s5z": "17628884",
    "2m_vs_1z": "c7dff4eb",
    "corridor": "5ca2caf7",
    "6h_vs_8z": "2510f604",
    "2s_vs_1sc": "1936277d",
    "so_many_baneling": "f35849b0",
    "bane_vs_bane": "863932de",
    "2c_vs_64zg": "0c303b28",
}
SMACV2_FILE = "32x32_flat"  # every scenario of SMACv2 is played on it
SMACV2_MAPS = ("10gen_terran", "10gen_protoss", "10gen_zerg")
UNITS = {
    "10gen_terran": ("marine", "marauder", "medivac"),
    "10gen_protoss": ("stalker", "zealot", "colossus"),
    "10gen_zerg": ("zergling", "hydralisk", "baneling"),
}
NEVER_ALONE = {"10gen_terran": "medivac", "10gen_zerg": "baneling"}  # no team of these only


def capabilities(map_name: str, n_units: int, n_enemies: int) -> dict[str, object]:
    """SMACv2's published way to draw teams and places for one race."""
    team: dict[str, object] = {
        "dist_type": "weighted_teams",
        "unit_types": list(UNITS[map_name]),
        "weights": [0.45, 0.45, 0.1],
        "observe": True,
    }
    if map_name in NEVER_ALONE:
        team["exception_unit_types"] = [NEVER_ALONE[map_name]]
    places = {"dist_type": "surrounded_and_reflect", "p": 0.5, "map_x": 32, "map_y": 32}
    return {
        "n_units": n_units,
        "n_enemies": n_enemies,
        "team_gen": team,
        "start_positions": places,
    }
