"""What actors make of the episodes of a batch: their inputs are built once for all of them."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from components.episode_buffer import EpisodeBatch
from components.steps import Steps


class Recall:
    """Raw outputs of the networks of `mac`, its target and its copies, at the steps of a batch.

    Controllers written for PyMARL go slot by slot, as their own learners let them.
    """

    def __init__(self, mac: Any, batch: EpisodeBatch, steps: Steps) -> None:
        self._batch, self._steps, self._slots = batch, steps, steps.slots
        whole = getattr(mac, "unrolls", False)
        self._inputs = mac.inputs_at(batch, self._slots) if whole else None  # (1, m, N, F)

    def now(self, mac: Any) -> Tensor:
        """At the steps. (1, n, N, A)"""
        if self._inputs is None:
            return self._steps.take(stepped(mac, self._batch))
        if mac.agent.recurrent:
            return self._slots.now(self._through(mac, self._inputs))
        return self._through(mac, self._slots.now(self._inputs))

    def following(self, mac: Any) -> Tensor:
        """One slot later. (1, n, N, A)"""
        if self._inputs is None:
            return self._steps.take(stepped(mac, self._batch), first=1)
        if mac.agent.recurrent:
            return self._slots.following(self._through(mac, self._inputs))
        return self._through(mac, self._slots.following(self._inputs))

    def both(self, mac: Any) -> tuple[Tensor, Tensor]:
        """`now` and `following` from one pass. (1, n, N, A) each"""
        if self._inputs is None:
            outputs = stepped(mac, self._batch)
            return self._steps.take(outputs), self._steps.take(outputs, first=1)
        outputs = self._through(mac, self._inputs)
        return self._slots.now(outputs), self._slots.following(outputs)

    def _through(self, mac: Any, inputs: Tensor) -> Tensor:
        outputs, _ = mac.agent.unroll(inputs, running=self._slots.running)
        return outputs


def stepped(mac: Any, batch: EpisodeBatch) -> Tensor:
    """Slot by slot. (B, T, N, A)"""
    outputs = []
    mac.init_hidden(batch.batch_size)
    for t in range(batch.max_seq_length):
        output, mac.hidden_states = mac.agent(mac._build_inputs(batch, t), mac.hidden_states)
        outputs.append(output.reshape(batch.batch_size, mac.n_agents, -1))
    return torch.stack(outputs, dim=1)
