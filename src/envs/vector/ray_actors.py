"""Workers as actors of a Ray cluster, on any of its machines; answers carry the row with them."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Sequence
from types import ModuleType
from typing import Protocol

import numpy as np

from envs.values import EnvInfo
from envs.vector.guardian import Guardian
from envs.vector.rows import Arrays, Build, Fields, fields_for, private_arrays
from envs.vector.worker_process import Answer, Reply, Worker, become_worker
from envs.vector.workers import NO_ANSWER, WorkerLost, Workplace


class RemoteMethod(Protocol):
    """A method of an actor, as Ray calls it."""

    def remote(self, *given: object) -> object:
        """Call it there; a reference to what it will return."""


class Actor(Protocol):
    """Ray's end of an `EnvActor`."""

    obey: RemoteMethod


class RayActors(Workplace):
    """One actor a row. A machine that is lost takes its actors; others start in their place."""

    def __init__(self, ray: ModuleType, builders: Sequence[Build], seeds: Sequence[int]) -> None:
        self._ray = ray
        self.n_envs = len(builders)
        self._builders, self._seeds = builders, seeds
        self._arrays: Arrays = {}
        # Not bound to free cores: as with worker processes, there may be more rows than cores.
        # No restarts by Ray: the rollout loop replays the episode, from a seed of its own.
        options = {"num_cpus": 0, "max_restarts": 0, "scheduling_strategy": "SPREAD"}
        self._actor_class = ray.remote(**options)(EnvActor)

    def start(self, row: int) -> ActorHandle:
        def begin() -> Actor:
            return self._actor_class.remote(self._builders[row], self._seeds[row])

        return ActorHandle(self._ray, begin, row, self._arrays)

    def make_arrays(self, info: EnvInfo) -> Arrays:
        self._one_row = fields_for(info, 1)
        self._arrays.update(private_arrays(fields_for(info, self.n_envs)))
        return self._arrays

    def attachment(self) -> tuple[object, ...]:
        return (self._one_row,)


class ActorHandle:
    """Our end of one actor; `arrays` are those of all rows, once they are known.

    Ray may send a new actor to a machine that has died without its knowing yet. One that is lost
    before its first answer is therefore begun once more.
    """

    def __init__(
        self, ray: ModuleType, begin: Callable[[], Actor], row: int, arrays: Arrays
    ) -> None:
        self._ray, self._begin, self._row, self._arrays = ray, begin, row, arrays
        self.rows: Sequence[int] = [row]
        self._actor = begin()
        self._may_begin_again = True
        self._command: tuple[object, ...] = ()  # the last one
        self._answer: object = None  # to it; a reference to what is yet to come

    def send(self, row: int, *command: object) -> None:
        actions = self._arrays["actions"][self._row] if command[0] == "step" else None
        self._command = command
        self._answer = self._actor.obey.remote(actions, *command)

    def step(self, rows: Sequence[int]) -> None:
        self.send(self._row, "step")

    def flush(self) -> None:
        """Nothing waits for this."""

    def receive(self, deadline: float) -> dict[int, Reply]:
        left = max(0.0, deadline - time.monotonic())
        try:
            outcome, answer, situation = self._ray.get(self._answer, timeout=left)
        except self._ray.exceptions.GetTimeoutError as error:
            raise WorkerLost(NO_ANSWER) from error
        except self._ray.exceptions.RayError as error:
            if self._may_begin_again and isinstance(error, self._ray.exceptions.ActorDiedError):
                return self._receive_from_another(deadline)
            raise WorkerLost(f"Its process or its machine is gone. {error}") from error
        self._may_begin_again = False
        if outcome == "done":
            for name, values in situation.items():
                self._arrays[name][self._row] = values
        return {self._row: (outcome, answer)}

    def _receive_from_another(self, deadline: float) -> dict[int, Reply]:
        self._may_begin_again = False
        self._actor = self._begin()
        self.send(self._row, *self._command)
        return self.receive(deadline)

    def close(self, deadline: float) -> None:
        self._ray.wait([self._answer], timeout=max(0.0, deadline - time.monotonic()))
        self.kill()

    def kill(self) -> None:
        self._ray.kill(self._actor)


class EnvActor:
    """What runs there: `worker_process.Worker` with arrays of one row, sent back with each answer.

    Ray gives each actor a process group of its own, so that its guardian can end it with all that
    the environment started.
    """

    def __init__(self, build: Build, seed: int) -> None:
        become_worker(seed)
        self._guardian = Guardian()
        self._guardian.watch(os.getpid())
        self._worker = RowWorker(build, row=0)

    def obey(
        self, actions: np.ndarray | None, command: str, *details: object
    ) -> tuple[str, Answer, Arrays]:
        arrays = self._worker.arrays
        if actions is not None:
            arrays["actions"][0] = actions
        outcome, answer = self._worker.obey(command, *details)
        return outcome, answer, {name: a[0] for name, a in arrays.items() if name != "actions"}


class RowWorker(Worker):
    def do_attach(self, fields: Fields) -> None:  # type: ignore[override]
        self.write_to(private_arrays(fields))
