"""Payoffs J_i(theta_i, theta_-i) in closed form, for any number of games at once.

All take `joint` (B, N, N, D): row i holds what agent i's payoff sees, its own parameters in place i
and the others' in theirs. All return the payoffs (B, N).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

Payoff = Callable[[Tensor], Tensor]

# Meet-up (Appendix B): two walkers, one step of length 1 each, at an angle that is their parameter.
START = torch.tensor([[0.0, 0.0], [3.0, 2.0]], dtype=torch.float64)
MEETING = torch.tensor([[math.atan2(2, 3)], [math.atan2(2, 3) - math.pi]], dtype=torch.float64)


def meet_up(joint: Tensor) -> Tensor:
    """J_i = a_i . u_i - 1, where u_i points from i's start to where the other arrives (Eq. 34)."""
    headings = torch.cat([joint.cos(), joint.sin()], dim=3)  # (B, row, agent, 2)
    payoffs = []
    for i in range(2):
        towards = START[1 - i] + headings[:, i, 1 - i] - START[i]  # (B, 2)
        direction = towards / towards.norm(dim=1, keepdim=True)
        payoffs.append((headings[:, i, i] * direction).sum(dim=1) - 1)
    return torch.stack(payoffs, dim=1)


@dataclass(frozen=True)
class Quadratic:
    """grad_i J_i = c_i + A_i theta_i + sum_j O_ij theta_j, with O_ii = 0."""

    c: Tensor  # (N, D)
    A: Tensor  # (N, D, D), symmetric
    O: Tensor  # (N, D, N, D)

    def __call__(self, joint: Tensor) -> Tensor:
        own = torch.diagonal(joint, dim1=1, dim2=2).transpose(1, 2)  # (B, N, D)
        linear = (own * self.c).sum(dim=2)
        curved = 0.5 * torch.einsum("bnd,nde,bne->bn", own, self.A, own)
        coupled = torch.einsum("bnd,ndme,bnme->bn", own, self.O, joint)
        return linear + curved + coupled

    def matrices(self) -> tuple[Tensor, Tensor]:
        """A and O as matrices of all parameters together. (N*D, N*D)"""
        size = self.c.numel()
        return torch.block_diag(*self.A), self.O.reshape(size, size)


CLIMBING = torch.tensor([[11.0, -30, 0], [-30, 7, 0], [0, 6, 5]], dtype=torch.float64)


def penalty(k: float = -100.0) -> Tensor:
    """The payoff matrix of the Penalty game."""
    return torch.tensor([[k, 0, 10], [0, 2, 0], [10, 0, k]], dtype=torch.float64)


def matrix_game(payoff: Tensor) -> Payoff:
    """The expected payoff of two softmax policies, their logits being the parameters."""

    def expected(joint: Tensor) -> Tensor:
        policies = joint.softmax(dim=3)  # (B, row, agent, A)
        value = torch.einsum("bra,ac,brc->br", policies[:, :, 0], payoff, policies[:, :, 1])
        return value

    return expected
