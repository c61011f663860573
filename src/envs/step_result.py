"""One meaning for what environments return from `step`, in PyMARL's or Gymnasium's form."""

from __future__ import annotations

from collections.abc import Sequence
from numbers import Number

import numpy as np

from envs.values import Info
from utils.errors import UserError

LARGEST = float(np.finfo(np.float32).max)
WHAT_FITS = "It must be a finite number of at most 3.4e38, for it is stored as float32."


def normalise_step(result: object) -> tuple[float, bool, bool, Info]:
    """(reward, ended, terminated, info) from a 3-tuple (PyMARL) or a 5-tuple (Gymnasium, EPyMARL).

    `terminated` is False where a time limit ended the episode: learning bootstraps there.
    """
    if not isinstance(result, tuple) or len(result) not in (3, 5):
        given = f"{len(result)} values" if isinstance(result, tuple) else type(result).__name__
        raise UserError(
            f"step() returned {given}. It must return (reward, terminated, info), or "
            "(obs, reward, terminated, truncated, info)."
        )
    if not isinstance(result[-1], dict):
        raise UserError(f"step() returned the info {result[-1]!r}. It must be a dictionary.")
    if len(result) == 3:
        reward, ended, info = result
        truncated = bool(info.get("episode_limit", False))
        return team_reward(reward), bool(ended), bool(ended) and not truncated, info
    _, reward, terminated, truncated, info = result
    terminated = _any(terminated) and not bool(info.get("episode_limit", False))
    ended = terminated or _any(truncated) or bool(info.get("episode_limit", False))
    return team_reward(reward), ended, terminated, info


def team_reward(reward: object) -> float:
    """A number, or a list of equal numbers, one for each agent."""
    if isinstance(reward, float) and abs(reward) <= LARGEST:  # the usual case, at once
        return float(reward)
    values = np.asarray(reward, dtype=float).reshape(-1)
    if len(values) != 1 and len(np.unique(values)) != 1:
        raise UserError(
            f"step() returned the rewards {reward}. One team reward is needed: a number, or a list "
            "of equal numbers. Let the environment sum or average them."
        )
    if not abs(values[0]) <= LARGEST:  # nor is NaN
        raise UserError(f"step() returned the reward {values[0]}. {WHAT_FITS}")
    return float(values[0])


def plain_info(info: Info) -> dict[str, float | str]:
    """What can be averaged and sent anywhere: numbers as floats; of the rest, the type."""
    plain: dict[str, float | str] = {}
    for key, value in info.items():
        number = as_float(value)
        plain[encodable(str(key))] = type(value).__name__ if number is None else number
    return plain


def as_float(value: object) -> float | None:
    """None if it is no number, or one that has no place on the real line."""
    if not isinstance(value, Number | np.bool_):
        return None
    try:
        return float(value)  # type: ignore[arg-type]
    except (TypeError, ValueError, OverflowError):  # complex, or beyond all floats
        return None


def encodable(text: str) -> str:
    """The same text, or with escapes where a file or a terminal could not take it."""
    return text.encode("utf-8", "backslashreplace").decode("utf-8")


def _any(flag: object) -> bool:
    return any(map(bool, flag)) if isinstance(flag, Sequence | np.ndarray) else bool(flag)
