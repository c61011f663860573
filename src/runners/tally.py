"""Sums over the episodes since the last report, under PyMARL's names."""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np

from envs.step_result import plain_info

console = logging.getLogger("pymarlk")


class Tally:
    """`return_mean`, `return_std`, `ep_length_mean`, and the mean of every last info's entry.

    Entries that are NaN or infinite are left out of their mean.
    """

    def __init__(self) -> None:
        self._returns: list[float] = []
        self._sums: dict[str, float] = {}
        self._left_out: dict[str, int] = {}  # episodes
        self._said: set[str] = set()

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
            for key, value in plain_info(info).items():
                if isinstance(value, str):
                    self._say_once(f"info['{key}'] is no number and is not logged.")
                elif math.isfinite(value):
                    self._count(key, value)
                else:
                    self._left_out[key] = self._left_out.get(key, 0) + 1
                    self._say_once(f"info['{key}'] is {value}; its mean leaves such episodes out.")

    def log(self, prefix: str, log_stat: Callable[[str, float, int], None], t_env: int) -> None:
        """Report the means, and start anew."""
        log_stat(f"{prefix}return_mean", float(np.mean(self._returns)), t_env)
        log_stat(f"{prefix}return_std", float(np.std(self._returns)), t_env)
        for key, total in self._sums.items():
            if key != "n_episodes":  # PyMARL's name for the count itself
                counted = self.episodes - self._left_out.get(key, 0)
                log_stat(f"{prefix}{key}_mean", total / counted, t_env)
        self._returns.clear()
        self._sums.clear()
        self._left_out.clear()

    def state_dict(self) -> dict[str, Any]:
        return {
            "returns": list(self._returns),
            "sums": dict(self._sums),
            "left_out": dict(self._left_out),
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self._returns, self._sums = list(state["returns"]), dict(state["sums"])
        self._left_out = dict(state.get("left_out", {}))  # older checkpoints have none

    def _say_once(self, text: str) -> None:
        if text not in self._said:
            self._said.add(text)
            console.warning(f"Warning: {text}")

    def _count(self, key: str, value: float) -> None:
        self._sums[key] = self._sums.get(key, 0.0) + value
