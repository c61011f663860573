"""A policy as a function of tensors alone: one slot, without chance."""

from __future__ import annotations

import copy
from typing import NamedTuple

import torch
from torch import Tensor, nn

from components.action_heads import ActionHead
from modules.sizes import flat_size
from policies.cem import CEMPolicy
from policies.contract import Observed
from policies.hearing import HearingPolicy
from policies.independent import IndependentPolicy


class Slot(NamedTuple):
    """What a policy decides by. `noise` is there only for those that draw some in tests, too."""

    obs: Tensor  # (B, N, O)
    last_actions: Tensor  # vectors (B, N, A)
    avail: Tensor  # (B, N, A)
    memory: Tensor  # (B, N, H)
    noise: Tensor | None = None  # (B, N, W)

    def given(self) -> dict[str, Tensor]:
        """By name, without what there is none of."""
        return {name: value for name, value in self._asdict().items() if value is not None}


class Decision(NamedTuple):
    """What comes out."""

    actions: Tensor  # as environments take them (B, N) or (B, N, A)
    action_vectors: Tensor  # the next slot's `last_actions` (B, N, A)
    next_memory: Tensor  # the next slot's `memory` (B, N, H)


class Greedy:
    """A selector that takes the most preferred action, whatever a run's own does in tests."""

    def __init__(self, head: ActionHead) -> None:
        self._head = head

    def choose(self, outputs: Tensor, avail: Tensor, t_env: int, testing: bool = False) -> Tensor:
        return self._head.stored(self._head.mode(outputs, avail))

    def repeatable(self, avail: Tensor, t_env: int, testing: bool = False) -> None:
        return None  # how often a team's network is asked must not depend on what it says

    def probabilities(
        self, outputs: Tensor, avail: Tensor, t_env: int | None = None, testing: bool = False
    ) -> Tensor:
        return self._head.preferences(outputs, avail)


class GreedyPolicy(nn.Module):
    """`Slot` -> `Decision`, in operations that are the same for any input.

    Its decisions follow from the slot, unless they are found `by_chance`.
    """

    def __init__(self, policy: IndependentPolicy) -> None:
        super().__init__()
        self.by_chance = isinstance(policy, CEMPolicy)  # it searches with random samples
        self.agent: nn.Module = policy.agent  # so that its weights are this module's
        self._policy = in_fixed_turns(policy)
        self._policy.selector = Greedy(policy.head)

    def forward(
        self,
        obs: Tensor,
        last_actions: Tensor,
        avail: Tensor,
        memory: Tensor,
        noise: Tensor | None = None,
    ) -> Decision:
        seen = Observed(obs, last_actions, avail, noise=noise)
        stored, memory = self._policy.act(seen, memory, 0, testing=True)
        head = self._policy.head
        return Decision(head.to_played(stored), head.vector(stored), memory)

    @torch.no_grad()
    def first_slot(self, n_episodes: int) -> Slot:
        """Of zeros, as an example of what `forward` takes."""
        policy, args = self._policy, self._policy.args
        N, A, O = policy.n_agents, args.n_actions, flat_size(args.obs_shape)
        obs = torch.zeros(n_episodes, N, O)
        vectors, memory = torch.zeros(n_episodes, N, A), policy.blank_memory(n_episodes)
        noise = policy.draw_noise(n_episodes, testing=True)
        return Slot(obs, vectors, torch.ones(n_episodes, N, A), memory.contiguous(), noise)


def in_fixed_turns(policy: IndependentPolicy) -> IndependentPolicy:
    """A copy in which the number of turns depends on no numbers that are drawn.

    Where the order is drawn, all agents act in each of N turns. Without chance that is the same:
    whoever hears nobody is right from the first turn on, whoever hears only those from the second.
    """
    twin = copy.copy(policy)
    if isinstance(twin, HearingPolicy) and not twin.turns:
        everybody = torch.ones(twin.n_agents, dtype=torch.bool)
        twin.turns = [everybody] * twin.n_agents
    return twin
