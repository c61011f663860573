"""What learners and runs ask of PyMARL's multi-agent controller; its policy decides."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Protocol

from torch import nn


class MAC(Protocol):
    """Ours is `controllers.basic_controller.BasicMAC`."""

    n_agents: int

    @property
    def agent(self) -> Any:
        """The agents' networks."""

    def init_hidden(self, batch_size: int) -> None:
        """Forget: episodes begin."""

    def parameters(self) -> Iterator[nn.Parameter]: ...

    def cuda(self) -> None: ...

    def save_models(self, path: str) -> None:
        """Write agent.th into the folder `path`."""

    def load_models(self, path: str) -> None:
        """Read it."""
