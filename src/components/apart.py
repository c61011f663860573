"""Rows of single agents, for networks that take each agent by itself.

An agent that has died, or decides nothing any more, has no gradient and no one to remember for: its
rows end there, and the rest of its episode costs nothing.
"""

from __future__ import annotations

import torch
from torch import Tensor

from components.minibatch import RoundUp, Steps, pick, running_rows


class AgentRows:
    """The slots of R episodes' agents up to the last at which each of them decides."""

    def __init__(self, deciding: Tensor, round_up: RoundUp = int) -> None:
        """deciding (R, L, N) is 1 where an agent's action counts."""
        self._R, self._L, self._N = deciding.shape
        counts = deciding.transpose(1, 2).flatten(0, 1).unsqueeze(2)  # (R*N, L, 1)
        self._reached = counts.flip(1).cumsum(1).clamp(max=1).flip(1)
        self._steps = Steps(self._reached, round_up=round_up)

    @property
    def some_end(self) -> bool:
        """Whether anything is left out, and anything left."""
        return self._steps.order is not None and bool(self._reached.any())

    def view(
        self, inputs: Tensor, start: Tensor, rows: Tensor | None = None
    ) -> tuple[Tensor, Tensor, list[int]]:
        """The agents' rows end to end (1, m, 1, F), of all inputs (R, L, N, F) or of `rows`.

        Also the memory before each row (r, 1, H), and how many reach each slot.
        """
        assert self._steps.order is not None
        N, running = self._N, running_rows(self._reached)
        row, slots = self._steps.where
        episodes, agents = row // N, row % N
        order = self._steps.order[: running[0]]  # an agent may have no steps at all
        first, of = order // N, order % N
        if rows is not None:
            episodes, first = rows[episodes], rows[first]
        taken = pick(inputs.flatten(1, 2), episodes, slots * N + agents)  # (1, m, F)
        return taken.unsqueeze(2), start[first, of].unsqueeze(1), running

    def put(self, values: Tensor) -> Tensor:
        """(1, m, 1, X) -> (R, L, N, X), with zeros where nothing was asked."""
        whole = self._steps.put(values.squeeze(2))  # (R*N, L, X)
        return whole.unflatten(0, (self._R, self._N)).transpose(1, 2)

    def put_in(self, steps: Steps, values: Tensor) -> Tensor:
        """(1, m, 1, X) -> (1, n, N, X), where `steps` are those of the episodes (R, L, 1)."""
        N, n = self._N, steps.mask.shape[1]
        row, slots = self._steps.where_real
        episodes, at = steps.where_real
        numbers = torch.zeros(self._R * self._L, dtype=torch.long, device=values.device)
        numbers[episodes * self._L + at] = torch.arange(len(at), device=values.device)
        place = numbers[row // N * self._L + slots] * N + row % N
        whole = values.new_zeros(n * N, values.shape[-1])
        return whole.index_copy(0, place, values[0, : len(place), 0]).reshape(1, n, N, -1)
