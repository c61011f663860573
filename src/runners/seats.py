"""What all ways of collecting share: environments, a policy, seeds, failures, limits."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from types import SimpleNamespace
from typing import NamedTuple

import numpy as np
from torch import Tensor

from components.episode_buffer import EpisodeBatch
from components.scheme import Groups, Scheme
from components.transforms import Preprocess
from envs.batched import Array, BatchedEnv, Step
from envs.vector.workers import tail
from policies.contract import Observed, Policy
from runners.tally import Tally
from runners.writer import on_host
from utils.errors import UserError, last_line
from utils.profile import section
from utils.seeding import TEST, TRAIN, episode_seed

Rows = slice | list[int]
EVERY_ROW = slice(None)


@dataclass
class Clock:
    """Steps of training episodes, over all environments."""

    t_env: int = 0


class Layout(NamedTuple):
    """How a round is written down."""

    scheme: Scheme
    groups: Groups
    preprocess: Preprocess | None
    episode_limit: int

    def blank(self, n_rows: int, n_slots: int) -> EpisodeBatch:
        return EpisodeBatch(self.scheme, self.groups, n_rows, n_slots, preprocess=self.preprocess)


class Seats:
    """The rows of one stream of episodes. Training and testing share none but the networks."""

    memory: Tensor  # the agents', in the episodes being played (B, N, H); blank when they begin

    def __init__(
        self,
        args: SimpleNamespace,
        stream: int,
        vector: BatchedEnv,
        policy: Policy,
        layout: Layout,
        console: logging.Logger,
    ) -> None:
        self.args, self.vector, self.policy, self.layout = args, vector, policy, layout
        self.testing, self._acts_as_tested = stream != TRAIN, stream == TEST
        self.episodes = [0] * vector.n_envs  # begun so far, for each row
        self.seeds = np.zeros(vector.n_envs, np.int64)  # of the episodes being played
        self.restarts = 0  # of environments that broke
        self.tally = Tally()
        self._failures = [0] * vector.n_envs  # in a row, for each row
        self._stream, self._console = stream, console

    def reset(self, rows: Array) -> Array:
        """Begin an episode in each of `rows` (n,), from its own seed. Returns (n,) bool: lost."""
        self.seeds[rows] = self._next_seeds(rows)
        with section("environment"):
            lost = self.vector.reset(rows, self.seeds[rows])
        self._note_failures(rows[lost])
        return lost

    def draw_noise(self, n_rows: int) -> Array | None:
        """What `act` will depend on in the next slot besides, if the policy draws anything."""
        noise = self.policy.draw_noise(n_rows, self._acts_as_tested)
        return None if noise is None else noise.numpy()

    def act(self, seen: Observed, t_env: int, rows: Rows = EVERY_ROW) -> Tensor:
        """Actions of episodes `rows` as they are stored (n, N, 1 or A); their memory goes on."""
        with section("acting"):
            stored, self.memory = self.policy.act(
                seen, self.memory, t_env, self._acts_as_tested, rows
            )
        return on_host(stored)

    def step(self, rows: Array, actions: Array, taken: int) -> Step:
        """A step of `rows`, the longest of whose episodes has taken `taken` steps before."""
        self._check_limit(taken)
        with section("environment"):
            step = self.vector.step(rows, actions)
        self._note_failures(rows[step.lost])
        for row in rows[step.ended].tolist():
            self._failures[row] = 0
        return step

    def show(self) -> None:
        """The situation of the first row, in a window."""
        try:
            self.vector.render()
        except NotImplementedError as error:
            raise UserError(f"render: env={self.args.env} cannot be shown in a window.") from error

    def _check_limit(self, taken: int) -> None:
        limit = self.layout.episode_limit
        if taken >= limit:
            raise UserError(
                f"env={self.args.env} goes on after its episode_limit of {limit} steps. It must "
                "end there, or announce a higher limit in get_env_info()."
            )

    def _next_seeds(self, rows: Array) -> list[int]:
        seeds = []
        for row in rows.tolist():
            seeds.append(
                episode_seed(environment_seed(self.args), self._stream, row, self.episodes[row])
            )
            self.episodes[row] += 1
        return seeds

    def _note_failures(self, rows: Array) -> None:
        """Count; give up on an environment that never works."""
        for row in rows.tolist():
            self.restarts += 1
            self._failures[row] += 1
            reason = tail(self.vector.last_failure.get(row, ""))
            if self._failures[row] >= self.args.env_restart_limit:
                raise UserError(
                    f"Environment {row} (env={self.args.env}) failed {self._failures[row]} times "
                    f"in a row (env_restart_limit). The last time:\n{reason}"
                )
            self._console.warning(
                f"Warning: environment {row} (env={self.args.env}) broke; its episode is played "
                f"again. {last_line(reason)}"
            )


def environment_seed(args: SimpleNamespace) -> int:
    """The run's, unless the environment was given one of its own."""
    given: int | None = args.env_args.get("seed")
    run: int = args.seed
    return run if given is None else given
