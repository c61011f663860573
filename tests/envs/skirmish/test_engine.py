"""How units fight, one rule at a time."""

from __future__ import annotations

import numpy as np
import pytest

from envs.skirmish.maps import MAPS
from envs.skirmish.units import UNITS
from tests.envs.skirmish.support import Duel

FAR_OFF = (31.0, 31.0)
DUMMY = ("medivac", *FAR_OFF)  # an enemy that does nothing


def still(kind: str, x: float, y: float) -> Duel:
    """A marine of ours at (10, 10), and one enemy that cannot reach it from (x, y)."""
    return Duel([("marine", 10, 10)], [(kind, x, y)])


def test_a_weapon_waits_for_its_period() -> None:
    duel = still("medivac", 15, 10)
    health = []
    for _ in range(40):
        duel.advance(1, target=[1])
        health.append(duel.health(1))

    shots = np.flatnonzero(np.diff([150, *health]))
    assert list(np.diff(shots)) == [14, 14]  # 0.8608 seconds of 16 loops
    assert health[0] == 150 - 5  # 6, less an armour of 1


def test_a_weapon_reaches_from_edge_to_edge() -> None:
    reach = 5 + 0.375 + 0.75
    inside, outside = (
        still("medivac", 10 + reach - 0.01, 10),
        still("medivac", 10 + reach + 0.2, 10),
    )
    inside.advance(1, target=[1])
    outside.advance(1, target=[1])

    assert inside.health(1) < 150
    assert outside.health(1) == 150
    assert outside.at(0)[0] > 10, "who is out of reach walks to the target"
    assert inside.at(0)[0] == 10


def test_units_walk_at_their_speed_and_stop_where_told() -> None:
    duel = Duel([("marine", 10, 10)], [DUMMY]).advance(8, goal=(12, 10))
    assert duel.at(0) == pytest.approx((11.125, 10), abs=1e-5)
    duel.advance(8, goal=(12, 10))
    assert duel.at(0) == pytest.approx((12, 10), abs=1e-5)
    duel.advance(8)
    assert duel.at(0) == pytest.approx((12, 10), abs=1e-5)


@pytest.mark.parametrize(
    ("attacker", "victim", "lost"),
    [
        ("marine", "medivac", 5),  # armour 1
        ("stalker", "zealot", 13),  # no bonus on light; the shield has no armour
        ("stalker", "stalker", 18),
        ("marauder", "marauder", 19),  # 10 and 10, less 1
        ("marauder", "marine", 10),
        ("colossus", "zergling", 30),  # two hits of 10 and 5
        ("zealot", "marauder", 14),  # two hits of 8, each less 1
        ("hydralisk", "zealot", 12),
        ("zergling", "spine_crawler", 3),
    ],
)
def test_damage_knows_bonus_armour_and_hits(attacker: str, victim: str, lost: float) -> None:
    gap = UNITS[attacker].radius + UNITS[victim].radius
    duel = Duel([(attacker, 10, 10)], [(victim, 10 + gap, 10)]).advance(1, target=[1])
    unit = UNITS[victim]

    assert unit.life + unit.shield - duel.health(1) - duel.shield(1) == pytest.approx(lost)


def test_shields_go_first_and_armour_counts_for_what_they_let_through() -> None:
    duel = Duel([("stalker", 10, 10)], [("stalker", 14, 10)])
    duel.f.shield[0, 1] = 9  # half of the attack's 18
    duel.advance(1, target=[1])

    assert duel.shield(1) == 0
    assert duel.health(1) == pytest.approx(80 - 17 / 2)


def test_grounded_weapons_do_not_reach_the_air() -> None:
    for kind in ("zealot", "marauder", "zergling"):
        duel = Duel([(kind, 10, 10)], [("medivac", 10.5, 10)]).advance(40, target=[1])
        assert duel.health(1) == 150
        assert duel.at(0) == (10, 10)


def test_a_colossus_hits_across_the_shot_not_along_it() -> None:
    lings = [
        ("zergling", 16, 10),
        ("zergling", 16, 11),
        ("zergling", 17.5, 10),
        ("zergling", 16, 13),
    ]
    duel = Duel([("colossus", 10, 10)], lings).advance(1, target=[1])

    assert [duel.health(slot) for slot in (1, 2, 3, 4)] == [5, 5, 35, 35]


def test_a_baneling_bursts_among_its_foes_and_dies() -> None:
    allies = [("baneling", 10, 10), ("zergling", 10, 11)]
    enemies = [("zergling", 10.8, 10), ("zergling", 12.4, 10), ("zergling", 15, 10)]
    duel = Duel(allies, enemies).advance(1, target=[2, -1])

    assert duel.health(0) == 0
    assert [duel.health(slot) for slot in (1, 2, 3, 4)] == [35, 0, 0, 35]


def test_a_killed_baneling_bursts_too() -> None:
    duel = Duel([("stalker", 10, 10), ("zergling", 14, 10)], [("baneling", 15.5, 10)])
    duel.f.health[0, 2] = 5
    duel.advance(1, target=[2, -1])

    assert duel.health(2) == 0
    assert duel.health(1) == 0, "it was beside it"
    assert duel.health(0) + duel.shield(0) == 160, "it was far away"


def test_shields_come_back_after_ten_seconds_of_peace() -> None:
    duel = Duel([("zealot", 10, 10)], [DUMMY])
    duel.f.shield[0, 0], duel.f.quiet[0, 0] = 10, 0
    duel.advance(160)
    assert duel.shield(0) == 10
    duel.advance(16)
    assert duel.shield(0) == pytest.approx(12)
    duel.advance(16 * 40)
    assert duel.shield(0) == 50


def test_a_medivac_heals_for_energy_and_not_without() -> None:
    duel = Duel([("medivac", 10, 10), ("marine", 12, 10)], [DUMMY])
    duel.f.health[0, 1] = 20
    duel.advance(16, target=[1, -1])
    assert duel.health(1) == pytest.approx(20 + 12.6, abs=1e-3)
    assert float(duel.f.energy[0, 0]) == pytest.approx(50 - 12.6 / 3 + 0.5625, abs=1e-3)
    duel.advance(160, target=[1, -1])
    assert duel.health(1) == 45

    duel.f.energy[0, 0], duel.f.health[0, 1] = 0, 20
    duel.advance(4, target=[1, -1])
    assert duel.health(1) == 20


def test_a_medivac_heals_no_machines() -> None:
    duel = Duel([("medivac", 10, 10), ("stalker", 12, 10)], [DUMMY])
    duel.f.health[0, 1] = 20
    duel.advance(16, target=[1, -1])

    assert duel.health(1) == 20


def test_units_make_room_for_each_other() -> None:
    crowd = [("zealot", 10 + 0.1 * i, 10 + 0.05 * (i % 3)) for i in range(6)]
    duel = Duel(crowd, [DUMMY]).advance(80)
    x, y = duel.f.place[:, 0, :6]
    gap = np.hypot(x[:, None] - x, y[:, None] - y)[~np.eye(6, dtype=bool)]

    assert gap.min() > 0.9  # two radii are 1


def test_flyers_pass_over_units_and_walls() -> None:
    duel = Duel([("medivac", 10, 8.2)], [("zealot", 25, 16)], MAPS["3m"].ground)
    duel.advance(16, goal=(10, 4))
    assert duel.at(0)[1] < 6


def test_walls_stop_walkers_that_slide_along_them() -> None:
    duel = Duel([("marine", 10, 9)], [DUMMY], MAPS["3m"].ground).advance(32, goal=(13, 5))
    x, y = duel.at(0)

    assert 8 <= y < 8.2
    assert x > 11


def test_enemies_find_the_way_through_a_passage() -> None:
    ground = MAPS["corridor"].ground
    duel = Duel([("zealot", 3, 3)], [("zergling", 25, 26)], ground, goal=(4.47, 4.33))
    duel.f.health[0, 0] = duel.f.life[0, 0] = 1e5
    duel.advance(16 * 20)

    assert np.hypot(duel.at(1)[0] - 3, duel.at(1)[1] - 3) < 2


def test_enemies_attack_whom_they_notice_and_nobody_else() -> None:
    near = Duel([("zealot", 10, 10)], [("zergling", 14, 10)]).advance(48)
    far = Duel([("zealot", 10, 10)], [("zergling", 20, 10)]).advance(48)

    assert near.shield(0) < 50
    assert far.at(1) == (20, 10)


def test_an_enemy_that_is_shot_at_comes() -> None:
    duel = Duel([("colossus", 10, 10)], [("zealot", 18.4, 10)]).advance(24, target=[1])

    assert duel.at(1)[0] < 18


def test_agents_that_are_told_nothing_do_nothing() -> None:
    duel = Duel([("marine", 10, 10)], [("spine_crawler", 13, 10)]).advance(28)

    assert duel.health(1) == 300
    assert duel.health(0) < 45


def test_the_dead_neither_act_nor_stand_in_the_way() -> None:
    duel = Duel([("marine", 10, 10), ("marine", 11, 10)], [("marine", 13, 10)])
    duel.f.health[0, 0] = 0
    before = duel.at(0)
    duel.advance(80, target=[2, 2])

    assert duel.at(0) == before
    assert duel.health(0) == 0
    assert float(duel.f.cooldown[0, 0]) <= 0, "it has not fired"
