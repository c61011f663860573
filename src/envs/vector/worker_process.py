"""What runs in a worker process: environments, driven from outside. No torch: it starts fast."""

from __future__ import annotations

import os
import pickle
import random
import select
import signal
from collections.abc import Mapping, Sequence
from multiprocessing.connection import Connection
from typing import Any, NamedTuple

import numpy as np

from envs.multiagentenv import MultiAgentEnv
from envs.step_result import normalise_step, plain_info
from envs.values import Info
from envs.vector.rows import Arrays, Build, Fields, Place, begin, explain, look, reseeds, sizes_of
from envs.vector.shared import SharedArrays
from envs.vector.wakeups import WakeUp
from machine.resources import as_memory_allows
from utils.errors import UserError

Answer = Any  # what a `do_...` of `Worker` returns; which one was asked says its type
Reply = tuple[str, Answer]  # ("done", answer) or ("failed", traceback)
Builders = Mapping[int, Build]  # of the rows that live in a process
NOTHING_TO_SAY: Reply = ("done", None)


class Channel(NamedTuple):
    """Between the main process and a worker: each turn of the main process has one answer."""

    pipe: Connection  # commands of rows there, answers of rows back
    step: WakeUp  # there: a step of the rows that are marked in `asked`
    stepped: WakeUp  # back: so they did, and none has anything to say


is_worker = False  # whether this process is one


def become_worker(seed: int) -> None:
    """Mark this process, and seed the global streams for environments that draw from them."""
    global is_worker
    is_worker = True
    random.seed(seed)
    np.random.seed(seed % 2**32)


def serve(channel: Channel, builders: Builders, n_envs: int, seed: int) -> None:
    """Obey until all environments are closed, or until the main process is gone.

    A message is a list of rows with their commands. It is answered by the rows with ("done",
    something) or ("failed", traceback) each.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the main process's to handle
    become_worker(seed)
    team = Team(builders, n_envs)
    pipe, step = channel.pipe, channel.step
    message_or_step = select.poll()
    message_or_step.register(pipe.fileno(), select.POLLIN)
    message_or_step.register(step.fileno(), select.POLLIN)
    try:
        while True:
            if step.fileno() in dict(message_or_step.poll()):
                step.take()
                answers = team.step()
                if not answers:
                    channel.stepped.send()
                    continue
            else:
                answers = team.obey(pipe.recv())
            tell(pipe, answers)
            if team.left:
                return
    except (EOFError, BrokenPipeError, ConnectionResetError):
        os._exit(0)  # nobody is left to answer to


def tell(pipe: Connection, message: object) -> None:
    """`pipe.send` by the plain pickler: the one that can send sockets takes ten times as long."""
    pipe.send_bytes(pickle.dumps(message))


class Team:
    """The environments of one process, of `n_envs` in all processes."""

    def __init__(self, builders: Builders, n_envs: int) -> None:
        self._builders, self._n_envs = builders, n_envs
        self._workers: dict[int, Worker] = {}

    def obey(self, commands: Sequence[tuple[Any, ...]]) -> dict[int, Reply]:
        """`commands` are (row, command, details ...)."""
        answers: dict[int, Reply] = {}
        building = commands[0][1] == "build"
        try:
            for each in as_memory_allows(commands, self._n_envs) if building else commands:
                answers[each[0]] = self._obey(*each)
        except UserError as error:  # there is no room for more
            answers[commands[len(answers)][0]] = "failed", str(error)
        return answers

    def _obey(self, row: int, command: str, *details: object) -> Reply:
        if row not in self._workers:
            self._workers[row] = Worker(self._builders[row], row)
        worker = self._workers[row] if command != "close" else self._workers.pop(row)
        return worker.obey(command, *details)

    def step(self) -> dict[int, Reply]:
        """A step of the rows that are asked for one; the answers of those that say something."""
        asked = [row for row, worker in self._workers.items() if worker.arrays["asked"][row]]
        replies = {row: self._workers[row].obey("step") for row in asked}
        return {row: reply for row, reply in replies.items() if reply != NOTHING_TO_SAY}

    @property
    def left(self) -> bool:
        """Whether all environments are closed."""
        return not self._workers


class Worker:
    """The environment of one row, and the arrays it writes to, where `row` is its place."""

    _env: MultiAgentEnv  # once it is built
    _place: Place  # once it is attached

    def __init__(self, build: Build, row: int) -> None:
        self._build, self._row = build, row
        self._shared: SharedArrays | None = None
        self.arrays: Arrays = {}

    def obey(self, command: str, *details: object) -> Reply:
        try:
            return "done", getattr(self, f"do_{command}")(*details)
        except (Exception, SystemExit) as error:
            return "failed", explain(error)

    def do_build(self) -> dict[str, object]:
        self._env = self._build()
        return {"info": sizes_of(self._env), "reseeds": reseeds(self._env)}

    def do_attach(self, name: str, fields: Fields) -> None:
        self._shared = SharedArrays(fields, name)
        self.write_to(self._shared.arrays)

    def write_to(self, arrays: Arrays) -> None:
        self.arrays, self._place = arrays, Place(arrays, self._row)

    def do_reset(self, seed: int) -> None:
        begin(self._env, seed)
        look(self._env, self._place)

    def do_step(self) -> Info | None:
        """The info at an episode's end; before, only the arrays speak."""
        arrays, row = self.arrays, self._row
        reward, ended, terminated, info = normalise_step(
            self._env.step(arrays["actions"][row].copy())
        )
        arrays["reward"][row], arrays["ended"][row] = reward, ended
        arrays["terminated"][row] = terminated
        look(self._env, self._place)
        return plain_info(info) if ended else None

    def do_save_replay(self) -> str | None:
        return self._env.save_replay()

    def do_render(self) -> None:
        self._env.render()

    def do_close(self) -> None:
        self._env.close()


def main(
    channel: Channel, builders: Builders, n_envs: int, seed: int, variables: Mapping[str, str]
) -> None:
    """The process's entry: a group of its own, so that it can be killed with all it started."""
    os.setpgid(0, 0)
    os.environ.clear()
    os.environ.update(variables)
    serve(channel, builders, n_envs, seed)
