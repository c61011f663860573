"""Sums over the episodes since the last report, under PyMARL's names."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from numbers import Number
from typing import Any

import numpy as np

console = logging.getLogger("pymarlk")


class Tally:
    """`return_mean`, `return_std`, `ep_length_mean`, and the mean of every last info's entry."""

    def __init__(self) -> None:
        self._returns: list[float] = []
        self._sums: dict[str, float] = {}
        self._skipped: set[str] = set()

    @property
    def episodes(self) -> int:
        return len(self._returns)

    def add(
        self, returns: Iterable[float], lengths: Iterable[int], infos: Iterable[dict[str, Any]]
    ) -> None:
        """The episodes of one round."""
        self._returns += [float(value) for value in returns]
        for length, info in zip(lengths, infos, strict=True):
            self._count("ep_length", float(length))
            for key, value in info.items():
                if isinstance(value, Number | np.bool_):
                    self._count(key, float(value))  # type: ignore[arg-type]
                elif key not in self._skipped:
                    self._skipped.add(key)
                    console.warning(f"Warning: info['{key}'] is no number and is not logged.")

    def log(self, prefix: str, log_stat: Callable[[str, float, int], None], t_env: int) -> None:
        """Report the means, and start anew."""
        log_stat(f"{prefix}return_mean", float(np.mean(self._returns)), t_env)
        log_stat(f"{prefix}return_std", float(np.std(self._returns)), t_env)
        for key, total in self._sums.items():
            if key != "n_episodes":  # PyMARL's name for the count itself
                log_stat(f"{prefix}{key}_mean", total / self.episodes, t_env)
        self._returns.clear()
        self._sums.clear()

    def state_dict(self) -> dict[str, Any]:
        return {"returns": list(self._returns), "sums": dict(self._sums)}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self._returns, self._sums = list(state["returns"]), dict(state["sums"])

    def _count(self, key: str, value: float) -> None:
        self._sums[key] = self._sums.get(key, 0.0) + value
