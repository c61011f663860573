"""Answers the game's requests: one client at a time, for ever, as StarCraft II does."""

from __future__ import annotations

import contextlib
import os
import socket
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from s2clientprotocol import sc2api_pb2 as sc_pb

from envs.skirmish.maps import MAPS
from tests.fake_sc2.battle import FLAT, Battle
from tests.fake_sc2.faults import LAST_LOOP, Faults, note_episode
from tests.fake_sc2.frames import handshake, receive, send

LAUNCHED, INIT_GAME, IN_GAME, ENDED = 1, 2, 3, 5
CELLS = 32  # a side of every map
HIGHEST_TYPE = 2008  # so that the nine types of SMACv2 are the last in the list


def serve(host: str, port: int) -> None:
    with socket.create_server((host, port)) as server:
        game = Game()
        while True:
            client, _ = server.accept()
            client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            with client, contextlib.suppress(ConnectionError):
                if handshake(client):
                    talk(client, game)


def talk(client: socket.socket, game: Game) -> None:
    while (message := receive(client)) is not None:
        send(client, game.answer(sc_pb.Request.FromString(message)).SerializeToString())


class RequestError(Exception):
    """The game refuses; the text goes into the response's `error`."""


class Game:
    """The state behind the connection."""

    def __init__(self) -> None:
        self.status, self.faults = LAUNCHED, Faults()
        self.battle: Battle | None = None
        self._created: tuple[str, int] = ("", 0)

    def answer(self, request: Any) -> Any:
        kind = request.WhichOneof("request")
        response = sc_pb.Response(id=request.id)
        getattr(response, kind).SetInParent()
        handle: Callable[..., None] = getattr(self, f"do_{kind}")
        try:
            self._break_down(self.faults.strike(kind))
            handle(getattr(request, kind), getattr(response, kind))
        except RequestError as error:
            response.ClearField(kind)
            response.error.append(str(error))
        response.status = self.status
        return response

    def _break_down(self, fault: str | None) -> None:
        if fault == "die":
            os._exit(1)
        if fault == "hang":
            time.sleep(10**6)
        if fault == "error":
            raise RequestError("A fault was asked for.")
        if fault == "end":
            self.status = ENDED

    def do_ping(self, request: Any, response: Any) -> None:
        response.game_version = "stand-in"

    def do_create_game(self, request: Any, response: Any) -> None:
        name = Path(request.local_map.map_path).stem
        if name not in {*MAPS, FLAT}:
            response.error = sc_pb.ResponseCreateGame.InvalidMapPath
            return
        self._created = (name, request.random_seed)
        self.status = INIT_GAME

    def do_join_game(self, request: Any, response: Any) -> None:
        response.player_id = 1
        self.battle = Battle(*self._created)
        self.status = IN_GAME
        note_episode()

    def do_game_info(self, request: Any, response: Any) -> None:
        raw = response.start_raw
        raw.map_size.x = raw.map_size.y = CELLS
        raw.playable_area.p1.x = raw.playable_area.p1.y = CELLS
        raw.pathing_grid.bits_per_pixel = 1
        raw.pathing_grid.data = np.packbits(self._battle().terrain.cells).tobytes()
        raw.terrain_height.bits_per_pixel = 8
        raw.terrain_height.data = bytes([127]) * (CELLS * CELLS)

    def do_data(self, request: Any, response: Any) -> None:
        for number in range(HIGHEST_TYPE + 1):
            response.units.add(unit_id=number)

    def do_observation(self, request: Any, response: Any) -> None:
        battle = self._battle()
        response.observation.game_loop = battle.loop
        for unit in battle.units.values():
            shown = response.observation.raw_data.units.add(
                tag=unit.tag,
                unit_type=unit.number,
                owner=unit.owner,
                health=unit.life,
                health_max=unit.life_max,
                shield=unit.shield,
                shield_max=unit.shield_max,
                energy=unit.energy,
                weapon_cooldown=unit.cooldown,
            )
            shown.pos.x, shown.pos.y = unit.x, unit.y

    def do_action(self, request: Any, response: Any) -> None:
        for action in request.actions:
            command = action.action_raw.unit_command
            point = target = None
            if command.HasField("target_world_space_pos"):
                point = (command.target_world_space_pos.x, command.target_world_space_pos.y)
            if command.HasField("target_unit_tag"):
                target = command.target_unit_tag
            for tag in command.unit_tags:
                self._battle().order(tag, command.ability_id, point, target)
            response.result.append(1)

    def do_step(self, request: Any, response: Any) -> None:
        battle = self._battle()
        if self.status == ENDED:
            raise RequestError("Game has already ended")
        battle.step(request.count)
        if battle.loop >= LAST_LOOP:
            self.status = ENDED

    def do_debug(self, request: Any, response: Any) -> None:
        battle = self._battle()
        if any(command.HasField("kill_unit") for command in request.debug):
            note_episode()  # SMAC clears the field for the next one
        for command in request.debug:
            if command.HasField("kill_unit"):
                battle.kill(list(command.kill_unit.tag))
            elif command.HasField("create_unit"):
                new = command.create_unit
                for _ in range(new.quantity):
                    battle.create(new.unit_type, new.owner, (new.pos.x, new.pos.y))

    def do_save_replay(self, request: Any, response: Any) -> None:
        response.data = b"a replay of the stand-in"

    def do_quit(self, request: Any, response: Any) -> None:
        os._exit(0)

    def _battle(self) -> Battle:
        if self.battle is None:
            raise RequestError("There is no game.")
        return self.battle
