"""Parts of episodes: what a row of a batch must know that does not begin where its episode does.

A batch of parts is an `EpisodeBatch` like any other, a part in each row: its steps, and the slot
after the last of them. Two constants more say how its first slot was reached. A first part has
there what all whole episodes begin with.
"""

from __future__ import annotations

from collections.abc import Container

import torch
from torch import Tensor

from components.episode_buffer import EpisodeBatch

MEMORY = "memory_before"  # the actors' hidden states, as they were when acting (B, N, H)
ACTION = "action_before"  # a vector as in `action_field`; zeros before the first action (B, N, A)

# Of every slot: random numbers that acting depended on beside its actions, if a policy draws any.
NOISE = "acting_noise"  # (B, T, N, W)


def action_field(scheme: Container[str]) -> str:
    """The field of actions as vectors: one-hots, or the actions themselves if continuous."""
    return "actions_onehot" if "actions_onehot" in scheme else "actions"


def previous_actions(batch: EpisodeBatch, n_slots: int) -> Tensor:
    """Vectors of the actions one slot before each of the first `n_slots`. (B, T, N, A)"""
    actions = batch[action_field(batch.scheme)][:, :n_slots]
    first = batch[ACTION] if ACTION in batch.scheme else torch.zeros_like(actions[:, 0])
    return torch.cat([first.unsqueeze(1), actions[:, :-1]], dim=1)
