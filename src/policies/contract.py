"""What runners, learners and levels may ask of a policy."""

from __future__ import annotations

from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any, NamedTuple, Protocol

import torch
from torch import Tensor, nn

from components.action_heads import ActionHead
from components.drawn import Drawn
from components.minibatch import Minibatch, View, Views
from components.parts import NOISE, action_field, previous_actions


class Observed(NamedTuple):
    """What the agents of B episodes see at one slot, when they are to act."""

    obs: Tensor  # (B, N, O)
    last_actions: Tensor  # as vectors, zeros at first (B, N, A)
    avail: Tensor  # (B, N, A)
    batch: Any = None  # where it stands, for controllers written for PyMARL, ...
    t: int = 0  # ... and at which slot
    inputs: Tensor | None = None  # (B, N, F), if a controller has built them its own way
    noise: Tensor | None = None  # (B, N, W), if the policy draws any: see `draw_noise`

    @classmethod
    def of(cls, batch: Any, t: int) -> Observed:
        """What slot `t` of an episode batch holds."""
        actions = batch[action_field(batch.scheme)]
        last = actions[:, t - 1] if t > 0 else previous_actions(batch, 1)[:, 0]
        noise = batch[NOISE][:, t] if NOISE in batch.scheme else None
        return cls(batch["obs"][:, t], last, batch["avail_actions"][:, t], batch, t, noise=noise)


class Policy(Protocol):
    """What the agents of a team do. `copy.deepcopy` makes targets and shadows of it."""

    @property
    def agent(self) -> Any:
        """The networks."""

    @property
    def head(self) -> ActionHead:
        """What their outputs mean as actions."""

    @property
    def n_agents(self) -> int: ...

    @property
    def recurrent(self) -> bool: ...

    @property
    def packs(self) -> bool:
        """Whether it takes rows that are laid end to end."""

    @property
    def agents_apart(self) -> bool:
        """Whether such rows may be those of single agents (R, L, 1, F): see `AgentRows`."""

    # Acting

    def blank_memory(self, n_episodes: int) -> Tensor:
        """Before the first slot. (B, N, H)"""

    def act(
        self, seen: Observed, memory: Tensor, t_env: int, testing: bool = False, rows: Any = ...
    ) -> tuple[Tensor, Tensor]:
        """Stored actions of episodes `rows` (b, N, 1 or A), and everybody's memory (B, N, H)."""

    def draw_noise(self, n_episodes: int, testing: bool = False) -> Tensor | None:
        """Random numbers besides those of actions that one slot depends on, to be kept with it and
        given to `act`; None for most policies. (B, N, W)
        """

    def for_tests(self) -> Policy:
        """The same networks; what exploration remembers is its own."""

    @property
    def epsilon(self) -> float | None:
        """How much it explores at random, if it does by a schedule."""

    # Learning

    def views(self, minibatch: Minibatch) -> Views:
        """The agents' inputs at the minibatch's slots, for this policy and its copies."""

    def whole(self, batch: Any, n_slots: int) -> View:
        """The first slots of every row, in place, from the memory that each row begins with."""

    def unroll(self, view: View) -> tuple[Tensor, Tensor]:
        """Raw outputs (..., N, A) and memory (..., N, H)."""

    def outputs(self, view: View) -> Tensor:
        """Raw outputs. (..., N, A)"""

    def both_outputs(self, views: Views) -> tuple[Tensor, Tensor]:
        """Raw outputs at the steps and one slot after each, from one pass. (..., N, A) each"""

    def greedy(self, view: View, avail: Tensor) -> Tensor:
        """The most preferred actions, as vectors. (..., N, A)"""

    def draw(
        self, view: View, avail: Tensor, noise: Tensor | None = None, hard: bool = True
    ) -> Drawn:
        """Actions as vectors, differentiable, with the noise that is given; None draws it."""

    def evaluate(self, view: View, avail: Tensor, actions: Tensor) -> tuple[Tensor, Tensor]:
        """Log-probabilities of stored actions (..., N), and the outputs that they come from."""

    def probabilities(self, view: View, avail: Tensor) -> Tensor:
        """Those that discrete actions are drawn with, exploration included. (..., N, A)"""

    # Networks

    @property
    def device(self) -> torch.device: ...

    def parameters(self) -> Iterator[nn.Parameter]: ...


class PlainPolicy:
    """What a policy answers whose actions depend on no random numbers but their own."""

    agents_apart = False

    def draw_noise(self, n_episodes: int, testing: bool = False) -> Tensor | None:
        return None

    @classmethod
    def noise_size(cls, args: SimpleNamespace) -> int:
        """How many numbers `draw_noise` gives, for an agent and slot."""
        return 0

    def in_words(self) -> str | None:
        """What the head of a run should say of it, if anything."""
        return None
