"""What environments that play on leave behind: parts of episodes, each in a row of its own."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from components.episode_buffer import EpisodeBatch
from components.parts import ACTION, MEMORY
from envs.batched import Array
from runners.seats import Layout

Situation = dict[str, Array]  # what is seen, row by row


def rows_of(fields: Situation, rows: Array) -> Situation:
    return {key: values[rows] for key, values in fields.items()}


class Recorder:
    """Takes notes step by step and row by row; makes the batch when the rollout is over.

    Every part is opened, written to and closed: by the slot that followed its last step.
    """

    def __init__(self, n_rows: int) -> None:
        self._part = np.full(n_rows, -1)  # that each row is in
        self._slot = np.zeros(n_rows, np.int64)  # its next one
        self._begins: list[tuple[Tensor, Tensor]] = []  # memory, last actions
        self._steps: list[tuple[Array, Array, Situation]] = []  # parts, slots, what happened
        self._ends: list[tuple[Array, Array, Situation, Tensor, Tensor]] = []
        self._n_parts = 0

    def open(self, rows: Array, memory: Tensor, before: Tensor) -> None:
        """A new part in each of `rows`; memory (B, N, H) and last actions (B, N, A) are of all."""
        self._part[rows] = self._n_parts + np.arange(len(rows))
        self._slot[rows] = 0
        self._n_parts += len(rows)
        self._begins.append((memory[rows], before[rows]))

    def write(self, rows: Array, happened: Situation) -> None:
        """One step of `rows`."""
        self._steps.append((self._part[rows], self._slot[rows], happened))
        self._slot[rows] += 1

    def close(self, rows: Array, situation: Situation, memory: Tensor, before: Tensor) -> None:
        """The parts of `rows` end in `situation`, which is of all rows, as the others are."""
        at = self._part[rows], self._slot[rows]
        self._ends.append((*at, rows_of(situation, rows), memory[rows], before[rows]))

    def ends(self) -> tuple[Situation, Tensor, Tensor]:
        """Where the parts end, in their order: what is seen, the memory, the last actions."""
        parts, _, situation, memory, before = self._all_ends()
        order = np.argsort(parts)
        return rows_of(situation, order), memory[order], before[order]

    def batch(self, layout: Layout, last_actions: Array) -> EpisodeBatch:
        """The parts, cut to the longest; `last_actions` (parts, N, ...) are those of their ends."""
        parts, slots, situation, *_ = self._all_ends()
        P, T = self._n_parts, int(slots.max()) + 1
        flat = layout.blank(P * T, 1)
        flat.update({**situation, "actions": last_actions[parts]}, bs=parts * T + slots, ts=0)
        if self._steps:
            parts, slots, happened = self._all_steps()
            flat.update(happened, bs=parts * T + slots, ts=0)
        fields = flat.data.transition_data
        for key, values in fields.items():
            fields[key] = values.reshape(P, T, *values.shape[2:])
        batch = EpisodeBatch(flat.scheme, flat.groups, P, T, flat.data, flat.preprocess)
        memory, before = (torch.cat(each) for each in zip(*self._begins, strict=True))
        for key, begin in ((MEMORY, memory), (ACTION, before)):
            info = {"vshape": begin.shape[2:], "group": "agents", "episode_const": True}
            batch.extend({key: {**info, "dtype": begin.dtype}})
            batch.update({key: begin}, mark_filled=False)
        return batch

    def _all_steps(self) -> tuple[Array, Array, Situation]:
        parts, slots, happened = zip(*self._steps, strict=True)
        return np.concatenate(parts), np.concatenate(slots), joined(happened)

    def _all_ends(self) -> tuple[Array, Array, Situation, Tensor, Tensor]:
        parts, slots, situations, memories, befores = zip(*self._ends, strict=True)
        return (
            np.concatenate(parts),
            np.concatenate(slots),
            joined(situations),
            torch.cat(memories),
            torch.cat(befores),
        )


def joined(each: tuple[Situation, ...]) -> Situation:
    return {key: np.concatenate([fields[key] for fields in each]) for key in each[0]}
