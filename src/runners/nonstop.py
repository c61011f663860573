"""Fixed-length rollouts: environments that nobody waits for play one episode after the other."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from components.episode_buffer import EpisodeBatch
from components.parts import action_field
from envs.batched import Array
from policies.contract import Observed
from runners.recorder import Recorder, Situation, rows_of
from runners.writer import on_host

if TYPE_CHECKING:
    from runners.rollout import RolloutRunner, Side


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

    def __init__(self, runner: RolloutRunner, side: Side) -> None:
        self._runner, self._side = runner, side
        self._vector, self._policy = side.vector, side.policy
        B = side.vector.n_envs
        self._rows = np.arange(B)
        self._blank = self._policy.blank_memory(B).clone()
        self._memory = self._blank.clone()  # (B, N, H)
        scheme, groups, preprocess = runner.layout
        layout = EpisodeBatch(scheme, groups, B, 1, preprocess=preprocess)
        self._before = layout[action_field(layout.scheme)][:, 0]  # last actions (B, N, A)
        self._playing = np.zeros(B, bool)  # else the row begins an episode before its next step
        self._seeds = np.zeros(B, np.int64)
        self._returns, self._lengths = np.zeros(B), np.zeros(B, np.int64)  # so far
        self._actions: list[Array] = []  # of all rows, as many steps as the longest has played

    def rollout(self, n_steps: int, t_env: int) -> tuple[EpisodeBatch, Finished]:
        """`n_steps` of every row: the parts of episodes that they make up, and what ended."""
        self._follow()
        record, finished = Recorder(len(self._rows)), Finished()
        record.open(self._rows[self._playing], self._memory, self._before)
        for _ in range(n_steps):
            self._begin(self._rows[~self._playing], record)
            self._step(record, finished, t_env)
        record.close(self._rows[self._playing], self._situation(), self._memory, self._before)
        return record.batch(self._runner.layout, self._last_actions(record, t_env)), finished

    def _follow(self) -> None:
        """The actors go to their device when the runner is already set up."""
        device = self._policy.device
        self._blank, self._memory = self._blank.to(device), self._memory.to(device)

    # One step

    def _begin(self, rows: Array, record: Recorder) -> None:
        """An episode in each of `rows`, however many attempts that takes."""
        todo = rows
        while len(todo):
            seeds = self._runner.next_seeds(self._side, todo)
            self._seeds[todo] = seeds
            todo = todo[self._vector.reset(todo, seeds)]
            self._runner.note_failures(self._side, todo)
        self._memory[rows], self._before[rows] = self._blank[rows], 0.0
        self._returns[rows], self._lengths[rows], self._playing[rows] = 0, 0, True
        record.open(rows, self._memory, self._before)

    def _step(self, record: Recorder, finished: Finished, t_env: int) -> None:
        self._runner.check_limit(int(self._lengths.max()))
        rows, situation = self._rows, self._situation()
        memory, before = self._memory, self._before
        actions = self._act(situation, t_env)
        step = self._vector.step(rows, actions)
        kept = ~step.lost
        record.write(
            rows[kept],
            {
                **rows_of(situation, rows[kept]),
                "actions": actions[kept],
                "reward": step.reward[kept],
                "terminated": step.terminated[kept],
            },
        )
        self._returns[kept] += step.reward[kept]
        self._lengths[kept] += 1
        self._actions = [*self._actions, actions][-int(self._lengths.max()) :]
        record.close(rows[step.lost], situation, memory, before)
        self._runner.note_failures(self._side, rows[step.lost])
        ended = rows[step.ended]
        if len(ended):
            record.close(ended, self._situation(), self._memory, self._before)
        finished.steps += int(kept.sum())
        for row in ended.tolist():
            finished.returns.append(float(self._returns[row]))
            finished.lengths.append(int(self._lengths[row]))
            finished.infos.append(step.infos[row])
            self._side.failures[row] = 0
        self._playing = kept & ~step.ended

    def _situation(self) -> Situation:
        vector = self._vector
        return {
            "state": vector.state.copy(),
            "obs": vector.obs.copy(),
            "avail_actions": vector.avail.copy(),
        }

    def _act(self, situation: Situation, t_env: int) -> Array:
        """The actions of all rows, which go on in memory. (B, N) or (B, N, A)"""
        seen = observed(situation, self._before)
        stored, self._memory = self._policy.act(seen, self._memory, t_env)
        stored = on_host(stored)
        self._before = self._policy.head.vector(stored).to(self._before, copy=True)
        return self._policy.head.to_played(stored).numpy()

    def _last_actions(self, record: Recorder, t_env: int) -> Array:
        """What every part would have done next: PyMARL's last slot holds an action, too."""
        situation, memory, before = record.ends()
        stored, _ = self._policy.act(observed(situation, before), memory, t_env)
        return self._policy.head.to_played(on_host(stored)).numpy()

    # Checkpoints

    def state_dict(self) -> dict[str, Any]:
        """Environments cannot be saved, but what was done in them can be done again."""
        return {
            "playing": self._playing.tolist(),
            "seeds": self._seeds.tolist(),
            "returns": self._returns.tolist(),
            "lengths": self._lengths.tolist(),
            "actions": torch.from_numpy(np.array(self._actions)),
            "memory": self._memory.cpu(),
            "before": self._before,
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Plays the running episodes up to where they were.

        Where that fails, or cannot be exact, the row begins a new episode.
        """
        self._memory = state["memory"].to(self._blank)
        self._before = state["before"]
        self._returns, self._lengths = np.array(state["returns"]), np.array(state["lengths"])
        self._seeds, self._actions = np.array(state["seeds"]), list(state["actions"].numpy())
        self._playing = np.array(state["playing"]) & self._vector.reseeds
        rows = self._rows[self._playing]
        if not len(rows):
            return
        self._playing[rows[self._vector.reset(rows, self._seeds[rows])]] = False
        for age in range(int(self._lengths[rows].max()), 0, -1):
            rows = self._rows[self._playing & (self._lengths >= age)]
            if len(rows):
                step = self._vector.step(rows, self._actions[-age][rows])
                self._playing[rows[step.lost | step.ended]] = False


def observed(situation: Situation, before: Tensor) -> Observed:
    """What agents see who act in `situation`, after the actions `before`."""
    fields = {key: torch.from_numpy(values) for key, values in situation.items()}
    return Observed(fields["obs"].float(), before, fields["avail_actions"].int())
