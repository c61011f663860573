"""The sizes of a task: how many agents and actions there are, and what is seen of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from types import SimpleNamespace
from typing import Any

import numpy as np

from utils.json_values import JsonObject
from utils.needs import CONTINUOUS, DISCRETE

Shape = int | tuple[int, ...]
Bounds = list[list[float]]  # of each agent's actions


@dataclass(frozen=True)
class TaskSizes:
    """Made once from what the environment says of itself."""

    n_agents: int
    n_actions: int
    obs_shape: Shape
    state_shape: Shape
    episode_limit: int
    action_kind: str  # DISCRETE or CONTINUOUS
    action_low: Bounds | None  # None where actions are discrete
    action_high: Bounds | None

    @classmethod
    def from_env_info(cls, info: Mapping[str, Any]) -> TaskSizes:
        spaces = info.get("action_spaces")
        return cls(
            n_agents=int(info["n_agents"]),
            n_actions=int(info["n_actions"]),
            obs_shape=plain_shape(info["obs_shape"]),
            state_shape=plain_shape(info["state_shape"]),
            episode_limit=int(info["episode_limit"]),
            action_kind=CONTINUOUS if spaces else DISCRETE,
            action_low=[space.low.tolist() for space in spaces] if spaces else None,
            action_high=[space.high.tolist() for space in spaces] if spaces else None,
        )

    @classmethod
    def of(cls, args: SimpleNamespace) -> TaskSizes:
        """Those that `put_on` has put there."""
        return cls(**{field.name: getattr(args, field.name) for field in fields(cls)})

    @classmethod
    def from_record(cls, record: JsonObject) -> TaskSizes:
        """What `record` gave, once it has been through JSON."""
        known = {field.name: record[field.name] for field in fields(cls)}
        shapes = {key: plain_shape(known[key]) for key in ("obs_shape", "state_shape")}
        return cls(**{**known, **shapes})

    def record(self) -> JsonObject:
        """For the run's record, from which networks can be built without the environment."""
        return {key: list(v) if isinstance(v, tuple) else v for key, v in asdict(self).items()}

    def put_on(self, args: SimpleNamespace) -> None:
        """As the run-time fields by which code written for PyMARL finds them."""
        vars(args).update(asdict(self))

    @property
    def discrete(self) -> bool:
        return self.action_kind == DISCRETE


def plain_shape(size: Any) -> Shape:
    """Environments compute sizes with numpy: a number or a shape, without its types."""
    return int(size) if np.ndim(size) == 0 else tuple(int(width) for width in size)
