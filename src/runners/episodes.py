"""Whole episodes: one in each row, and rows whose episode has ended wait for the others."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from components.episode_buffer import EpisodeBatch
from components.parts import NOISE
from envs.batched import Array, Step
from policies.contract import Observed
from runners.contract import Hook
from runners.seats import EVERY_ROW, Clock, Rows, Seats
from runners.writer import StepWriter, on_host


class Episodes:
    """Plays rounds of episodes in `seats`; training ones move the clock."""

    def __init__(self, seats: Seats, clock: Clock) -> None:
        self._seats, self._clock = seats, clock

    def collect(self, on_transition: Hook | None = None) -> EpisodeBatch:
        started = self._clock.t_env
        batch, results = self.play(self._seats.vector.n_envs, on_transition)
        self._clock.t_env = max(self._clock.t_env, started + int(results.lengths.sum()))
        return batch

    def play(self, n_rows: int, hook: Hook | None = None) -> tuple[EpisodeBatch, RoundResults]:
        """Episodes in rows 0 to n_rows - 1; those that were lost are played again."""
        seats = self._seats
        batch = seats.layout.blank(n_rows, seats.layout.episode_limit + 1)
        results, started = RoundResults(n_rows), self._clock.t_env
        todo = np.arange(n_rows)
        while len(todo):
            erase(batch, todo)
            results.erase(todo)
            todo = Attempt(seats, self._clock, batch, results, started, hook).play(todo)
        seats.tally.add(results.returns, results.lengths, results.infos)
        return batch, results

    def state_dict(self) -> None:
        """No episode goes on after its round."""

    def load_state_dict(self, state: dict[str, Any] | None) -> None: ...


class Attempt:
    """Plays rows of a round to their ends, slot by slot."""

    def __init__(
        self,
        seats: Seats,
        clock: Clock,
        batch: EpisodeBatch,
        results: RoundResults,
        started: int,
        hook: Hook | None,
    ) -> None:
        self._seats, self._clock, self._hook = seats, clock, hook
        self._batch, self._results = batch, results
        self._started = started  # the clock when the round began
        self._writer = StepWriter(batch)
        self._ended = np.zeros(batch.batch_size, bool)
        self._some_ended = False  # in the latest step

    def play(self, rows: Array) -> Array:
        """Returns those of `rows` that the environment lost."""
        seats = self._seats
        failed = seats.reset(rows)
        seats.memory = seats.policy.blank_memory(self._batch.batch_size)
        lost, present, t = [rows[failed]], rows[~failed], 0  # rows whose slot t is to be written
        while len(present):
            self._observe(present, t)
            actions = self._act(present, t)
            present, actions = self._going(present, actions)
            if not len(present):
                break
            broke = self._step(present, actions, t)
            if broke.any():
                lost.append(present[broke])
                present = present[~broke]
            self._count(present)
            t += 1
        return np.sort(np.concatenate(lost))

    def _observe(self, rows: Array, t: int) -> None:
        """Write what `rows` show at slot `t`, which completes the step before."""
        seats, vector = self._seats, self._seats.vector
        seen = {"state": vector.state, "obs": vector.obs, "avail_actions": vector.avail}
        if len(rows) < vector.n_envs:
            seen = {key: values[rows] for key, values in seen.items()}
        self._writer.write(rows, t, seen, fill=True)
        if seats.args.render and seats.testing and rows[0] == 0:
            seats.show()
        if self._hook is not None and t > 0:
            with torch.enable_grad():
                self._hook(self._batch[rows, t - 1 : t + 1])

    def _act(self, rows: Array, t: int) -> Array:
        """Choose and store the actions of `rows` at slot t. (n, N) or (n, N, A)"""
        seats, batch = self._seats, self._batch
        head, noise = seats.policy.head, seats.draw_noise(len(rows))
        if noise is not None:
            self._writer.write(rows, t, {NOISE: noise})
        if not seats.testing and self._clock.t_env < seats.args.start_steps:
            stored = on_host(head.uniform(batch["avail_actions"][rows, t]))
        else:
            every = len(rows) == batch.batch_size
            chosen: Rows = EVERY_ROW if every else rows.tolist()
            stored = seats.act(Observed.of(batch, t), self._schedule_time(), chosen)
        self._writer.write(rows, t, {"actions": stored.numpy()})
        return head.to_played(stored).numpy()

    def _going(self, rows: Array, actions: Array) -> tuple[Array, Array]:
        """Without the rows whose last slot has just been written."""
        if not self._some_ended:
            return rows, actions
        going = ~self._ended[rows]
        return rows[going], actions[going]

    def _schedule_time(self) -> int:
        """PyMARL's schedules stand still during an episode, unless learning goes on in it."""
        learning = self._seats.args.runner_scope == "transition"
        return self._clock.t_env if learning else self._started

    def _step(self, rows: Array, actions: Array, t: int) -> Array:
        """Step `rows` and store what came of it. Returns (n,) bool: lost."""
        step = self._seats.step(rows, actions, taken=t)
        outcome = {"reward": step.reward[:, None], "terminated": step.terminated[:, None]}
        self._writer.write(rows, t, outcome)
        self._results.add(rows, step)
        self._ended[rows] = step.ended
        self._some_ended = bool(step.ended.any())
        return step.lost

    def _count(self, rows: Array) -> None:
        """Where learning goes on between steps, they count at once."""
        if self._hook is not None:
            self._clock.t_env += len(rows)


class RoundResults:
    """Returns, lengths and last infos of one round's episodes."""

    def __init__(self, n_rows: int) -> None:
        self.returns = np.zeros(n_rows)
        self.lengths = np.zeros(n_rows, np.int64)
        self.infos: list[dict[str, Any]] = [{} for _ in range(n_rows)]

    def erase(self, rows: Array) -> None:
        self.returns[rows], self.lengths[rows] = 0, 0

    def add(self, rows: Array, step: Step) -> None:
        # Those of lost episodes are erased.
        self.returns[rows] += step.reward
        self.lengths[rows] += 1
        for place in np.flatnonzero(step.ended).tolist():
            self.infos[rows[place]] = step.infos[place]


def erase(batch: EpisodeBatch, rows: Array) -> None:
    """Forget what a lost episode has written."""
    for tensor in batch.data.transition_data.values():
        tensor[rows] = 0
