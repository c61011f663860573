"""Rollouts of a fixed length: environments that nobody waits for play one episode after another."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from torch import Tensor

from components.episode_buffer import EpisodeBatch
from components.parts import NOISE, action_field
from envs.batched import Array, Step
from policies.contract import Observed
from runners.contract import Hook
from runners.recorder import Recorder, Situation, rows_of
from runners.seats import Clock, Seats
from runners.writer import on_host
from utils.profile import section


@dataclass
class Finished:
    """The episodes that ended in a rollout, however long ago they began; and all steps of it."""

    steps: int = 0
    returns: list[float] = field(default_factory=list)
    lengths: list[int] = field(default_factory=list)
    infos: list[dict[str, Any]] = field(default_factory=list)


class Nonstop:
    """Where each row's episode is: in the environment, in the actors' memory, in the statistics.

    An environment that breaks ends its part of the episode, which is learned from as far as it was
    played: as with a time limit, a value stands in for the rest.
    """

    def __init__(self, seats: Seats, clock: Clock, n_steps: int) -> None:
        self._seats, self._clock, self._n_steps = seats, clock, n_steps
        B = seats.vector.n_envs
        self._rows = np.arange(B)
        self._blank = seats.policy.blank_memory(B).clone()
        seats.memory = self._blank.clone()  # (B, N, H)
        layout = seats.layout.blank(B, 1)
        self._before = layout[action_field(layout.scheme)][:, 0]  # last actions (B, N, A)
        self._playing = np.zeros(B, bool)  # else the row begins an episode before its next step
        self._returns, self._lengths = np.zeros(B), np.zeros(B, np.int64)  # so far
        self._actions: list[Array] = []  # of all rows, as many steps as the longest has played

    def collect(self, on_transition: Hook | None = None) -> EpisodeBatch:
        """`n_steps` of every row, as parts of episodes."""
        assert on_transition is None  # single steps are learned from in whole episodes only
        batch, finished = self.rollout()
        while not finished.steps:  # all were lost; `env_restart_limit` ends this
            batch, finished = self.rollout()
        self._clock.t_env += finished.steps
        self._seats.tally.add(finished.returns, finished.lengths, finished.infos)
        return batch

    def rollout(self) -> tuple[EpisodeBatch, Finished]:
        """The parts of episodes that the steps make up, and what ended."""
        self._follow()
        seats, record, finished = self._seats, Recorder(len(self._rows)), Finished()
        record.open(self._rows[self._playing], seats.memory, self._before)
        for _ in range(self._n_steps):
            if not self._playing.all():
                self._begin(self._rows[~self._playing], record)
            self._step(record, finished)
        going = self._rows[self._playing]
        record.close(going, self._situation(), seats.memory, self._before)
        return record.batch(seats.layout, self._last_actions(record)), finished

    def _follow(self) -> None:
        """The actors go to their device when the runner is already set up."""
        seats, device = self._seats, self._seats.policy.device
        self._blank, seats.memory = self._blank.to(device), seats.memory.to(device)

    # One step

    def _begin(self, rows: Array, record: Recorder) -> None:
        """An episode in each of `rows`, however many attempts that takes."""
        todo = rows
        while len(todo):
            todo = todo[self._seats.reset(todo)]
        self._seats.memory[rows], self._before[rows] = self._blank[rows], 0.0
        self._returns[rows], self._lengths[rows], self._playing[rows] = 0, 0, True
        record.open(rows, self._seats.memory, self._before)

    def _step(self, record: Recorder, finished: Finished) -> None:
        """One of all rows."""
        rows, situation = self._rows, self._situation()
        memory, before = self._seats.memory, self._before
        actions = self._act(situation)
        step = self._seats.step(rows, actions, taken=int(self._lengths.max()))
        record.write(rows[~step.lost], happened(situation, actions, step))
        self._returns[~step.lost] += step.reward[~step.lost]
        self._lengths[~step.lost] += 1
        self._actions = [*self._actions, actions][-int(self._lengths.max()) :]
        if step.lost.any():
            record.close(rows[step.lost], situation, memory, before)
        if step.ended.any():
            self._finish(rows[step.ended], step, record, finished)
        finished.steps += int((~step.lost).sum())
        self._playing = ~step.lost & ~step.ended

    def _finish(self, rows: Array, step: Step, record: Recorder, finished: Finished) -> None:
        """The episodes of `rows` have ended."""
        record.close(rows, self._situation(), self._seats.memory, self._before)
        for row in rows.tolist():
            finished.returns.append(float(self._returns[row]))
            finished.lengths.append(int(self._lengths[row]))
            finished.infos.append(step.infos[row])

    def _situation(self) -> Situation:
        vector, noise = self._seats.vector, self._seats.draw_noise(len(self._rows))
        situation = {
            "state": vector.state.copy(),
            "obs": vector.obs.copy(),
            "avail_actions": vector.avail.copy(),
        }
        return situation if noise is None else {**situation, NOISE: noise}

    def _act(self, situation: Situation) -> Array:
        """The actions of all rows, whose memory goes on. (B, N) or (B, N, A)"""
        stored = self._seats.act(observed(situation, self._before), self._clock.t_env)
        head = self._seats.policy.head
        self._before = head.vector(stored).to(self._before, copy=True)
        return head.to_played(stored).numpy()

    def _last_actions(self, record: Recorder) -> Array:
        """What every part would have done next: PyMARL's last slot holds an action, too."""
        policy, (situation, memory, before) = self._seats.policy, record.ends()
        with section("acting"):
            stored, _ = policy.act(observed(situation, before), memory, self._clock.t_env)
        return policy.head.to_played(on_host(stored)).numpy()

    # Checkpoints

    def state_dict(self) -> dict[str, Any]:
        """Environments cannot be saved, but what was done in them can be done again."""
        return {
            "playing": self._playing.tolist(),
            "seeds": self._seats.seeds.tolist(),
            "returns": self._returns.tolist(),
            "lengths": self._lengths.tolist(),
            "actions": torch.from_numpy(np.array(self._actions)),
            "memory": self._seats.memory.cpu(),
            "before": self._before,
        }

    def load_state_dict(self, state: dict[str, Any] | None) -> None:
        """Plays the running episodes up to where they were.

        Where that fails, or cannot be exact, the row begins a new episode.
        """
        if state is None:
            return
        seats, vector = self._seats, self._seats.vector
        seats.memory, self._before = state["memory"].to(self._blank), state["before"]
        self._returns, self._lengths = np.array(state["returns"]), np.array(state["lengths"])
        seats.seeds, self._actions = np.array(state["seeds"]), list(state["actions"].numpy())
        self._playing = np.array(state["playing"]) & vector.reseeds
        rows = self._rows[self._playing]
        if len(rows):
            self._playing[rows[vector.reset(rows, seats.seeds[rows])]] = False
            self._replay(int(self._lengths[rows].max()))

    def _replay(self, longest: int) -> None:
        """The last actions of all rows that are playing, from their first step on."""
        for age in range(longest, 0, -1):
            rows = self._rows[self._playing & (self._lengths >= age)]
            if len(rows):
                step = self._seats.vector.step(rows, self._actions[-age][rows])
                self._playing[rows[step.lost | step.ended]] = False


def happened(situation: Situation, actions: Array, step: Step) -> Situation:
    """One step of all rows, without those that were lost."""
    outcome = {"actions": actions, "reward": step.reward, "terminated": step.terminated}
    every = {**situation, **outcome}
    return rows_of(every, np.flatnonzero(~step.lost)) if step.lost.any() else every


def observed(situation: Situation, before: Tensor) -> Observed:
    """What agents see who act in `situation`, after the actions `before`."""
    fields = {key: torch.from_numpy(values) for key, values in situation.items()}
    noise = fields.get(NOISE)
    return Observed(fields["obs"].float(), before, fields["avail_actions"].int(), noise=noise)
