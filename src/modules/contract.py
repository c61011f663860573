"""What learners ask of critics and mixers."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, Protocol

from torch import Tensor, nn

from components.episode_buffer import EpisodeBatch

Utilities = Callable[[Tensor], Tensor]  # of actions (B, T, N, A) -> (B, T, N)


class Network(Protocol):
    """What has parameters: every `nn.Module`."""

    def parameters(self) -> Iterator[nn.Parameter]: ...

    def cuda(self) -> Any: ...

    def state_dict(self) -> dict[str, Any]: ...

    def load_state_dict(self, state: Any, /) -> Any: ...


class UtilityCritic(Protocol):
    """What gives each agent a utility of its own observation and action."""

    def __call__(self, obs: Tensor, actions: Tensor) -> tuple[Tensor, Any]:
        """(B, T, N, O), (B, T, N, A) -> (B, T, N, 1), and what PyMARL's critics give besides"""

    def at(self, obs: Tensor) -> Utilities:
        """The utilities of actions given the observations `obs` (B, T, N, O)."""


class InputCritic(Network, Protocol):
    """A critic of on-policy learners: its inputs are made once and evaluated often."""

    def inputs(self, batch: EpisodeBatch) -> Tensor:
        """(B, T, 1, F) if all agents share them, else (B, T, N, F)."""

    def values_of(self, inputs: Tensor) -> Tensor:
        """Values of states (..., N), or of each action (..., N, A)."""


class Mixing(Protocol):
    """A mixer at prepared states."""

    def __call__(self, qs: Tensor) -> Tensor:
        """The joint value. (B, T, N) -> (B, T, 1)"""

    def one_by_one(self, own: Tensor, others: Tensor) -> Tensor:
        """N joint values; in the i-th agent i has its own and all others `others`. (B, T, N)"""


class Mixer(Protocol):
    """What makes a joint value of the agents' values."""

    def __call__(self, qs: Tensor, states: Tensor) -> Tensor:
        """(B, T, N), (B, T, S) -> (B, T, 1)"""

    def at(self, states: Tensor) -> Mixing:
        """The mixing of joint values at `states` (B, T, S), made once for all of them."""
