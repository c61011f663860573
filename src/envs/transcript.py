"""Episodes as text: in every slot what each agent did, and the reward."""

from __future__ import annotations

import tempfile
from collections import deque
from pathlib import Path
from typing import NamedTuple

import numpy as np

from envs.batched import Array

LONGEST = 1000  # steps that are kept of an episode, the last ones


class Turn(NamedTuple):
    """One step of some rows."""

    rows: Array  # (n,)
    slots: Array  # (n,)
    actions: Array  # (n, N) or (n, N, A)
    rewards: Array  # (n,)


class Transcript:
    """The latest turns. To note one costs no loop over rows; they are sorted out when asked for."""

    def __init__(self, episode_limit: int, action_names: tuple[str, ...] = ()) -> None:
        self._turns: deque[Turn] = deque(maxlen=min(episode_limit, LONGEST))
        self._names = action_names

    def note(self, rows: Array, slots: Array, actions: Array, rewards: Array) -> None:
        self._turns.append(Turn(rows.copy(), slots, actions.copy(), rewards))

    def lines(self, row: int) -> list[str]:
        """The latest episode of a row, as far as it is kept."""
        found: list[tuple[int, Array, float]] = []
        for turn in reversed(self._turns):
            for place in np.flatnonzero(turn.rows == row):
                slot, reward = int(turn.slots[place]), float(turn.rewards[place])
                found.append((slot, turn.actions[place], reward))
            if found and found[-1][0] == 0:
                break
        return [self._line(*step) for step in reversed(found)] + self._total(found)

    def save(self, row: int, title: str) -> str | None:
        """The file with the latest episode of a row; None if it has played none."""
        lines = self.lines(row)
        if not lines:
            return None
        path = Path(tempfile.mkdtemp(prefix="replay-")) / f"{title}.txt"
        path.write_text("\n".join(lines) + "\n")
        return str(path)

    def _line(self, slot: int, actions: Array, reward: float) -> str:
        each = [f"agent {i} {self._named(action)}" for i, action in enumerate(actions)]
        return f"slot {slot}: {', '.join(each)}; reward {reward:g}"

    def _named(self, action: Array) -> str:
        if np.ndim(action):  # continuous
            return " ".join(f"{number:.3f}" for number in action)
        return self._names[int(action)] if self._names else f"plays {int(action)}"

    @staticmethod
    def _total(steps: list[tuple[int, Array, float]]) -> list[str]:
        """The last line; of an episode whose beginning is no longer kept, that this is so."""
        if not steps:
            return []
        cut = "" if steps[-1][0] == 0 else f" from slot {steps[-1][0]} on"
        return [f"return{cut} {sum(reward for _, _, reward in steps):g}"]
