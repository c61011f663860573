"""What a policy has just played, as complete episodes, and what is said of it in the log."""

from __future__ import annotations

from typing import NamedTuple, Protocol

import torch
from torch import Tensor

from components.action_heads import ActionHead
from components.apart import AgentRows
from components.experience import mean_over
from components.minibatch import RoundUp, Steps, View, running_rows
from learners.contract import Statistics
from modules.contract import InputCritic


class Judged(NamedTuple):
    """What a critic says of all slots, the one after the last included; normalised."""

    inputs: Tensor  # that it says so from (B, T + 1, 1 or N, F)
    values: Tensor  # (B, T + 1, N)
    ahead: Tensor  # what returns look ahead to: the same, or what its slow copy says (B, T + 1, N)


class Rewards(NamedTuple):
    """What returns are made of, besides values."""

    rewards: Tensor  # (B, T, 1)
    terminated: Tensor  # (B, T, 1)
    mask: Tensor  # 1 at real steps (B, T, 1)


class Round(NamedTuple):
    """Complete episodes before anything was learned from them. Learners change none of it."""

    view: View  # of the actors: inputs (B, T, N, F), memory before the first slot (B, N, H)
    memory: Tensor | None  # after each slot, if rows may begin there (B, T, N, H)
    outputs: Tensor  # of the actors (B, T, N, A)
    avail: Tensor  # (B, T, N, A)
    actions: Tensor  # as stored (B, T, N, 1 or A)
    log_probs: Tensor  # of these actions (B, T, N)
    critic_inputs: Tensor  # (B, T, 1 or N, F)
    predicted: Tensor  # by the critic, normalised (B, T, N)
    values: Tensor  # the same on the scale of the rewards (B, T, N)
    rewards: Rewards
    ahead: Tensor  # the values that returns look ahead to, on that scale (B, T + 1, N)
    returns: Tensor  # targets of the critic, on that scale (B, T, N)
    valid: Tensor  # 1 at real steps (B, T, N)
    deciding: Tensor  # 1 where, besides, the agent counts for the policy (B, T, N)


@torch.no_grad()
def of_round(episodes: Round, head: ActionHead) -> Statistics:
    """How well the critic knew the returns, and how sure the actors were."""
    values, returns, valid = episodes.values, episodes.returns, episodes.valid
    errors = returns - values
    likeliest = head.stored(head.mode(episodes.outputs, episodes.avail))
    spread = variance(returns, valid)
    explained = 1 - variance(errors, valid) / spread
    pi_max = head.log_prob(episodes.outputs, episodes.avail, likeliest).exp()
    return {
        "explained_variance": torch.where(spread > 0, explained, 0.0),
        "td_error_abs": mean_over(errors.abs(), valid),
        "q_taken_mean": mean_over(values, valid),
        "target_mean": mean_over(returns, valid),
        "advantage_mean": mean_over(errors, episodes.deciding),
        "pi_max": mean_over(pi_max, episodes.deciding),
    }


class Unrolls(Protocol):
    """A policy, or one agent of it."""

    @property
    def packs(self) -> bool:
        """Whether it takes rows that are laid end to end."""

    def unroll(self, view: View) -> tuple[Tensor, Tensor]:
        """Raw outputs (..., N, A) and memory (..., N, H)."""


def unrolled_steps(
    policy: Unrolls, view: View, mask: Tensor, memory: bool = True, round_up: RoundUp = int
) -> tuple[Tensor, Tensor | None]:
    """Outputs and memory of the slots where `mask` (R, L, 1) is 1, for those alone; else zeros.

    Without `memory` only outputs are asked for.
    """
    steps = Steps(mask, round_up=round_up)
    order = steps.order if policy.packs else None
    if order is None:
        return policy.unroll(view)
    running = running_rows(mask)
    assert view.start is not None
    start = view.start[order[: running[0]]]  # a part may have no steps at all
    outputs, hidden = policy.unroll(View(steps.take(view.inputs), start, running))
    return steps.put(outputs), steps.put(hidden) if memory else None


def unrolled_agents(
    policy: Unrolls, view: View, deciding: Tensor, memory: bool, round_up: RoundUp
) -> tuple[Tensor, Tensor | None] | None:
    """The same of each agent up to the last slot at which it decides anything, of `deciding`.

    (R, L, N); None if all of them do until their episodes end, or nobody does.
    """
    rows = AgentRows(deciding, round_up)
    if not rows.some_end:
        return None
    assert view.start is not None
    outputs, hidden = policy.unroll(View(*rows.view(view.inputs, view.start)))
    return rows.put(outputs), rows.put(hidden) if memory else None


def judged_slots(critic: InputCritic, inputs: Tensor, reached: Steps) -> Tensor:
    """Values of the slots that `reached` has, for those alone; else zeros. (B, T + 1, N)"""
    return reached.put(critic.values_of(reached.take(inputs)))


def variance(values: Tensor, mask: Tensor) -> Tensor:
    return mean_over((values - mean_over(values, mask)).square(), mask)
