"""What on-policy learners learn from: steps as they were played, in rows that can be shuffled."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any, NamedTuple

import torch
from torch import Tensor

from components.apart import AgentRows
from components.minibatch import Index, RoundUp, Running, Steps, View, running_rows

Rows = Tensor | None  # some; None is all
COUNTING = {"valid", "deciding"}  # by which steps count


class Experience(NamedTuple):
    """R rows of L slots: episodes, chunks of them, or single steps.

    Or all that is real in them laid end to end (1, n, ...), as `components.minibatch` does.
    """

    inputs: Tensor  # of the actors (R, L, N, F)
    memory: Tensor  # hidden states before the first slot, as they were when acting (R, N, H)
    avail: Tensor  # (R, L, N, A)
    actions: Tensor  # as stored (R, L, N, 1 or A)
    critic_inputs: Tensor  # (R, L, 1 or N, F)
    log_probs: Tensor  # of the actions, when they were chosen (R, L, N)
    values: Tensor  # of the critic at that time, normalised (R, L, N)
    returns: Tensor  # targets of the critic, normalised (R, L, N)
    advantages: Tensor  # (R, L, N)
    valid: Tensor  # 1 at real steps, 0 at padding (R, L, N)
    deciding: Tensor  # 1 where, besides, the agent counts for the policy (R, L, N)
    weight: Tensor | None = None  # of a step for its agent, where they differ (R, L, N)
    pull: Tensor | None = None  # of others on the agent's action, if there is any (R, L, N, A)
    running: Running = None  # how many rows reach each slot, once they are laid end to end
    asked: Index | None = None  # where the agents' rows are apart: see `AgentRows`

    def minibatches(self, count: int) -> Iterator[Experience]:
        """`count` parts of randomly chosen rows, at most one a row; one part is not shuffled."""
        for rows in self.shuffled(count):
            yield self.of(rows)

    def shuffled(self, count: int) -> Sequence[Rows]:
        """The rows of each such part."""
        if count == 1:
            return [None]
        shuffled = torch.randperm(len(self.inputs), device=self.inputs.device)
        return shuffled.tensor_split(min(count, len(shuffled)))

    def of(self, rows: Rows) -> Experience:
        return self if rows is None else self._each(lambda key, values: values[rows])

    def packed(self, rows: Rows = None, round_up: RoundUp = int, apart: bool = False) -> Experience:
        """`rows` without the padding inside them; as they are if there is none, and on a GPU.

        `round_up` may add steps that count for nothing: see `Steps`. With `apart` inputs and memory
        are those of single agents' rows.
        """
        mask = (self.valid if rows is None else self.valid[rows])[..., :1]  # (R, L, 1)
        steps = Steps(mask, round_up=round_up)
        found = self.of(rows) if steps.order is None else self._end_to_end(steps, rows)
        found = found._replace(running=None if steps.order is None else running_rows(mask))
        return self._apart(found, steps, rows) if apart else found

    def _end_to_end(self, steps: Steps, rows: Rows) -> Experience:
        counted = steps.mask
        if rows is not None:
            steps = steps.among(rows)  # a copy of the rows would only be thrown away

        def laid_out(key: str, values: Tensor) -> Tensor:
            if key == "memory":
                return values[steps.order]
            taken = steps.take(values)
            return taken * counted if key in COUNTING else taken

        return self._each(laid_out)

    def _apart(self, found: Experience, steps: Steps, rows: Rows) -> Experience:
        """With the inputs and the memory of single agents' rows, if some end before the others."""
        deciding = self.deciding if rows is None else self.deciding[rows]
        agents = AgentRows(deciding, steps.round_up)
        if not agents.some_end:
            return found
        inputs, start, running = agents.view(self.inputs, self.memory, rows)
        asked = agents.put if steps.order is None else partial(agents.put_in, steps)
        return found._replace(inputs=inputs, memory=start, running=running, asked=asked)

    def view(self) -> View:
        """As the actors see it."""
        return View(self.inputs, self.memory, self.running, self.asked)

    def _each(self, change: Callable[[str, Tensor], Tensor]) -> Experience:
        fields = zip(self._fields, self[:-2], strict=False)  # all but the layout
        given: dict[str, Any] = {
            key: change(key, values) for key, values in fields if values is not None
        }
        return self._replace(**given)

    def of_agent(self, i: int) -> Experience:
        """What agent i did; inputs and memory, and the critic's part, stay everybody's."""
        own = slice(i, i + 1)
        return self._replace(
            avail=self.avail[:, :, own],
            actions=self.actions[:, :, own],
            log_probs=self.log_probs[:, :, own],
            advantages=self.advantages[:, :, own],
            deciding=self.deciding[:, :, own],
            pull=None if self.pull is None else self.pull[:, :, own],
        )

    def for_actors(self) -> Experience:
        """Without what only the critic learns from."""
        return self._replace(
            critic_inputs=self.critic_inputs[..., :0],
            values=self.values[..., :0],
            returns=self.returns[..., :0],
        )

    def without_padding(self) -> Experience:
        """Only the rows in which something happens."""
        rows = self.valid.flatten(1).any(dim=1).nonzero().squeeze(1)
        if len(rows) == len(self.valid):
            return self
        return self.of(rows)


def cut(values: Tensor, length: int) -> Tensor:
    """Rows of `length` slots, the last of each episode filled up with zeros.

    (B, T, ...) -> (B * ceil(T / length), length, ...)
    """
    B, T = values.shape[:2]
    missing = -T % length
    if missing:
        values = torch.cat([values, values.new_zeros(B, missing, *values.shape[2:])], dim=1)
    return values.reshape(B * -(-T // length), length, *values.shape[2:])


def memory_before(start: Tensor, hidden: Tensor | None, length: int) -> Tensor:
    """The hidden states before the first slot of each such row.

    start (B, N, H) is that before the episode, hidden (B, T, N, H) those after each slot; None
    if a row is a whole episode. -> (B * ceil(T / length), N, H)
    """
    if hidden is None:
        return start
    before = torch.cat([start.unsqueeze(1), hidden[:, :-1]], dim=1)  # (B, T, N, H)
    return before[:, ::length].flatten(0, 1)


def mean_over(values: Tensor, mask: Tensor) -> Tensor:
    """The mean where `mask` is 1; 0 if that is nowhere."""
    return (values * mask).sum() / mask.sum().clamp_min(1)
