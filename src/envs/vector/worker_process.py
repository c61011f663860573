"""What runs in a worker process: environments, driven through a pipe. No torch: it starts fast."""

from __future__ import annotations

import os
import pickle
import random
import signal
from collections.abc import Mapping
from multiprocessing.connection import Connection
from typing import Any

import numpy as np

from envs.multiagentenv import MultiAgentEnv
from envs.step_result import normalise_step, plain_info
from envs.values import Info
from envs.vector.rows import Arrays, Build, Fields, begin, explain, look, reseeds, sizes_of
from envs.vector.shared import SharedArrays

Answer = Any  # what a `do_...` of `Worker` returns; which one was asked says its type
Reply = tuple[str, Answer]  # ("done", answer) or ("failed", traceback)
Builders = Mapping[int, Build]  # of the rows that live in a process

is_worker = False  # whether this process is one


def become_worker(seed: int) -> None:
    """Mark this process, and seed the global streams for environments that draw from them."""
    global is_worker
    is_worker = True
    random.seed(seed)
    np.random.seed(seed % 2**32)


def serve(pipe: Connection, builders: Builders, seed: int) -> None:
    """Obey until all environments are closed, or until the main process is gone.

    A message is a list of rows with their commands. It is answered by the rows with ("done",
    something) or ("failed", traceback) each.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the main process's to handle
    become_worker(seed)
    workers: dict[int, Worker] = {}
    try:
        while True:
            answers = {}
            for row, command, *details in pipe.recv():
                if row not in workers:
                    workers[row] = Worker(builders[row], row)
                answers[row] = workers[row].obey(command, *details)
                if command == "close":
                    del workers[row]
            tell(pipe, answers)
            if not workers:
                return
    except (EOFError, BrokenPipeError, ConnectionResetError):
        os._exit(0)  # nobody is left to answer to


def tell(pipe: Connection, message: object) -> None:
    """`pipe.send` by the plain pickler: the one that can send sockets takes ten times as long."""
    pipe.send_bytes(pickle.dumps(message))


class Worker:
    """The environment of one row, and the arrays it writes to, where `row` is its place."""

    _env: MultiAgentEnv  # once it is built

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
        self.arrays = self._shared.arrays

    def do_reset(self, seed: int) -> None:
        begin(self._env, seed)
        look(self._env, self.arrays, self._row)

    def do_step(self) -> Info | None:
        """The info at an episode's end; before, only the arrays speak."""
        arrays, row = self.arrays, self._row
        reward, ended, terminated, info = normalise_step(
            self._env.step(arrays["actions"][row].copy())
        )
        arrays["reward"][row], arrays["ended"][row] = reward, ended
        arrays["terminated"][row] = terminated
        look(self._env, arrays, row)
        return plain_info(info) if ended else None

    def do_save_replay(self) -> str | None:
        return self._env.save_replay()

    def do_render(self) -> None:
        self._env.render()

    def do_close(self) -> None:
        self._env.close()


def main(pipe: Connection, builders: Builders, seed: int, variables: Mapping[str, str]) -> None:
    """The process's entry: a group of its own, so that it can be killed with all it started."""
    os.setpgid(0, 0)
    os.environ.clear()
    os.environ.update(variables)
    serve(pipe, builders, seed)
