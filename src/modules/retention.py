"""Retention: attention whose past fits into matrices of a fixed size (Sun et al. 2023)."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

# How much of a slot is kept in the next one: 1 - 1/32 by the first head, 1 - 1/512 by the last.
FORGOTTEN_FIRST, FORGOTTEN_LAST = 1 / 32, 1 / 512


def decays(n_heads: int, scale: float) -> Tensor:
    """kappa of each head, times `scale`. (heads,)"""
    exponents = torch.linspace(math.log(FORGOTTEN_FIRST), math.log(FORGOTTEN_LAST), n_heads)
    return scale * (1 - exponents.exp())


class Retained(NamedTuple):
    """What retention gives, and its state after each slot, for whoever wants it."""

    answers: Tensor  # (R, L, N, H)
    states: Callable[[], Tensor]  # (R, L, heads, d, d)


class Retention(nn.Module):
    """Several heads over rows of slots, in each of which N tokens stand.

    Recurrently, S <- kappa S at every slot, S <- S + k'v at every token, and the answer is q S.
    Here all slots of a row are answered at once:

        answers = ((q k') * D) v + xi (q S_before)
        D_nm = kappa^(t_n - t_m),   xi_n = kappa^(t_n + 1)

    where t is the slot of a token in its row. D is 0 for later slots; with `causal` it is so for
    later tokens of the same slot, too, else these see each other.
    """

    kappa: Tensor  # (heads,)

    def __init__(self, width: int, n_heads: int, decay: float, causal: bool = False) -> None:
        super().__init__()
        self.n_heads, self.causal = n_heads, causal
        self.register_buffer("kappa", decays(n_heads, decay), persistent=False)
        self.query, self.key, self.value, self.gate, self.out = (_narrow(width) for _ in range(5))
        self.norm = nn.LayerNorm(width // n_heads, eps=1e-6)  # of each head; answers are small

    def forward(self, queries: Tensor, keys: Tensor, before: Tensor) -> Retained:
        """queries, keys (R, L, N, H) and the state before the first slot (R, heads, d, d)."""
        L, N = keys.shape[1:3]
        q, k, v = self._split(self.query(queries), self.key(keys), self.value(keys))
        decay, since = self._decay(L, N)  # (heads, L*N, L*N), (heads, L*N, 1)
        answers = (q @ k.transpose(-1, -2) * decay) @ v + since * (q @ before)
        answers = self.norm(answers).transpose(1, 2).flatten(2).unflatten(1, (L, N))  # (R, L, N, H)
        gated = self.out(F.silu(self.gate(keys)) * answers)
        return Retained(gated, lambda: self._states(k, v, before, L))

    def _split(self, *projected: Tensor) -> list[Tensor]:
        """(R, L, N, H) -> (R, heads, L*N, d)"""
        tokens = (x.flatten(1, 2).unflatten(-1, (self.n_heads, -1)) for x in projected)
        return [x.transpose(1, 2) for x in tokens]

    def _decay(self, L: int, N: int) -> tuple[Tensor, Tensor]:
        """D and xi."""
        kappa = self.kappa.reshape(-1, 1, 1)
        slots = torch.arange(L, device=kappa.device).repeat_interleave(N)  # (L*N,)
        apart = (slots[:, None] - slots).to(kappa)  # (L*N, L*N)
        decay = kappa ** apart.clamp_min(0) * (apart >= 0)
        return decay.tril() if self.causal else decay, kappa ** (slots[:, None] + 1).to(kappa)

    def _states(self, k: Tensor, v: Tensor, before: Tensor, L: int) -> Tensor:
        """After each slot."""
        k, v = (x.unflatten(2, (L, -1)) for x in (k, v))  # (R, heads, L, N, d)
        added = (k.transpose(-1, -2) @ v).transpose(1, 2)  # (R, L, heads, d, d)
        kappa, state, states = self.kappa.reshape(-1, 1, 1), before, []
        for t in range(L):
            state = kappa * state + added[:, t]
            states.append(state)
        return torch.stack(states, dim=1)


def _narrow(width: int) -> nn.Linear:
    """Weights as in Sable's code: normal, with a deviation of 1 / width, and no bias."""
    made = nn.Linear(width, width, bias=False)
    nn.init.normal_(made.weight, std=1 / width)
    return made
