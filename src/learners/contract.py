"""What a run may ask of a learner, and what learners tell its log."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol, runtime_checkable

from torch import Tensor

from components.episode_buffer import EpisodeBatch

Statistics = Mapping[str, Tensor | float]  # name in the log -> value


@runtime_checkable
class LearnerContract(Protocol):
    """Ours are `learners.base.Learner`; those of others are adapted by `pymarl.learners`."""

    def train(self, batch: EpisodeBatch, t_env: int, episode_num: int) -> None:
        """One update from a batch that is cut to its longest episode and on `args.device`."""

    def require_sound(self) -> None:
        """Raise `DivergedError` if a gradient, a weight or an optimiser's state is not finite."""

    def cuda(self) -> None:
        """Move all networks to the GPU."""

    def save_models(self, path: str) -> None:
        """Write PyMARL's files into the folder `path`."""

    def load_models(self, path: str) -> None:
        """Start from the networks in the folder `path`."""

    def state_dict(self) -> dict[str, Any]:
        """All that a resumed run needs to go on as if it had not been interrupted."""

    def load_state_dict(self, state: dict[str, Any], /) -> None:
        """Put it back."""
