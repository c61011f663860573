"""The stand-in is started and driven by the real pysc2, where that is installed (it is on PyPI)."""

from __future__ import annotations

import importlib.util
import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from envs.sc2.maps import SMAC_MAPS
from tests.envs.sc2.places import make_stand_in
from tests.fake_sc2.battle import ALLY, ATTACK, ENEMY, MOVE, NUMBERS, Battle
from tests.fake_sc2.frames import BINARY, handshake, receive, send
from tests.support import PATIENCE

SESSION = """
import json, sys
from absl import flags
flags.FLAGS(["test"])
from pysc2 import run_configs
from pysc2.lib.protocol import ProtocolError
from s2clientprotocol import common_pb2, debug_pb2, raw_pb2, sc2api_pb2 as sc_pb

seen = {}
with run_configs.get(version="4.10").start(want_rgb=False) as game:
    create = sc_pb.RequestCreateGame(
        local_map=sc_pb.LocalMap(map_path="SMAC_Maps/3m.SC2Map", map_data=b"x" * 70_000),
        random_seed=5)
    game.create_game(create)
    game.join_game(sc_pb.RequestJoinGame(race=1, options=sc_pb.InterfaceOptions(raw=True)))
    info = game.game_info().start_raw
    seen["map"] = [info.map_size.x, len(info.pathing_grid.data), len(info.terrain_height.data)]
    units = list(game.observe().observation.raw_data.units)
    seen["owners"] = [unit.owner for unit in units]
    first = units[0]
    command = raw_pb2.ActionRawUnitCommand(
        ability_id=16, unit_tags=[first.tag],
        target_world_space_pos=common_pb2.Point2D(x=first.pos.x, y=first.pos.y + 2))
    action = sc_pb.Action(action_raw=raw_pb2.ActionRaw(unit_command=command))
    game.actions(sc_pb.RequestAction(actions=[action]))
    game.step(8)
    later = game.observe().observation
    seen["loop"] = later.game_loop
    seen["walked"] = later.raw_data.units[0].pos.y - first.pos.y
    tags = [unit.tag for unit in later.raw_data.units]
    game.debug([debug_pb2.DebugCommand(kill_unit=debug_pb2.DebugKillUnit(tag=tags))])
    game.step(2)
    new = [unit.tag for unit in game.observe().observation.raw_data.units]
    seen["new"] = len(set(new) - set(tags))
    seen["replay"] = len(game.save_replay())
    try:
        game.step(10_000)
        game.observe(); game.step(8)
    except ProtocolError as error:
        seen["end"] = "ended" in str(error)
print(json.dumps(seen))
"""


@pytest.mark.skipif(not importlib.util.find_spec("pysc2"), reason="pysc2 is not installed")
def test_pysc2_plays_a_game_on_it(tmp_path: Path) -> None:
    root = make_stand_in(tmp_path / "StarCraftII")
    settings = {
        "SC2PATH": str(root), "PROTOCOL_BUFFERS_PYTHON_IMPLEMENTATION": "python", "no_proxy": "*",
        "GAME_LOOPS": "500",
    }  # fmt: skip
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", SESSION], env={**os.environ, **settings},
        capture_output=True, text=True, timeout=PATIENCE,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    seen = json.loads(done.stdout.splitlines()[-1])

    assert seen["map"] == [32, 128, 1024]
    assert seen["owners"] == [1, 1, 1, 2, 2, 2]
    assert seen["loop"] == 8
    assert seen["walked"] == pytest.approx(8 * 2.25 / 16, abs=0.2)  # others may be in the way
    assert seen["new"] == 6
    assert seen["replay"] > 0
    assert seen["end"]


# By SMAC: the most that one episode can return before scaling, from the maps' units.
MAX_REWARDS = {
    "3m": 365, "8m": 640, "25m": 1575, "5m_vs_6m": 530, "8m_vs_9m": 695, "10m_vs_11m": 805,
    "27m_vs_30m": 1850, "MMM": 1015, "MMM2": 1205, "2s3z": 1020, "3s5z": 1510,
    "3s5z_vs_3s6z": 1670, "3s_vs_3z": 680, "3s_vs_4z": 840, "3s_vs_5z": 1000, "1c3s5z": 1870,
    "2m_vs_1z": 360, "corridor": 1280, "6h_vs_8z": 1480, "2s_vs_1sc": 510,
    "so_many_baneling": 1480, "bane_vs_bane": 1260, "2c_vs_64zg": 3080,
}  # fmt: skip


@pytest.mark.parametrize("name", SMAC_MAPS)
def test_every_map_has_its_teams(name: str) -> None:
    enemies = [unit for unit in Battle(name, 0).units.values() if unit.owner == ENEMY]
    life = sum(unit.life_max + unit.shield_max for unit in enemies)

    assert 200 + 10 * len(enemies) + life == MAX_REWARDS[name]


def test_a_battle_is_fought_and_begun_anew() -> None:
    battle = Battle("3m", 1)
    mine = [unit.tag for unit in battle.units.values() if unit.owner == ALLY]
    theirs = [unit.tag for unit in battle.units.values() if unit.owner == ENEMY]
    battle.order(theirs[0], MOVE, (0.0, 0.0), None)  # not ours to command
    battle.order(999, ATTACK, None, theirs[0])
    for tag in mine:
        battle.order(tag, ATTACK, None, theirs[0])
    battle.step(400)
    assert theirs[0] not in battle.units
    assert battle.units

    battle.kill(list(battle.units))
    battle.step(1)
    assert len(battle.units) == 6
    assert not set(battle.units) & {*mine, *theirs}


def test_maps_of_smacv2_wait_for_their_units() -> None:
    battle = Battle("32x32_flat", 0)
    battle.step(8)
    assert not battle.units
    assert len(battle.own_types()) == 9
    battle.create(battle.own_types()[0], ALLY, (8.0, 8.0))
    battle.create(NUMBERS["marine"], ENEMY, (20.0, 8.0))
    battle.step(1)
    born = [(unit.number, unit.owner, unit.life) for unit in battle.units.values()]
    assert born == [(2000, ALLY, 30), (48, ENEMY, 45)]


@pytest.mark.parametrize("size", [0, 125, 126, 65_535, 65_536])
def test_frames_of_every_length(size: int) -> None:
    one, other = socket.socketpair()
    with one, other:
        one.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 200_000)
        send(one, b"z" * size, BINARY)
        assert receive(other) == b"z" * size
        one.close()
        assert receive(other) is None


def test_other_places_are_not_found() -> None:
    one, other = socket.socketpair()
    with one, other:
        one.sendall(b"GET / HTTP/1.1\r\nSec-WebSocket-Key: x\r\n\r\n")
        assert not handshake(other)
        assert one.recv(100).startswith(b"HTTP/1.1 404")
