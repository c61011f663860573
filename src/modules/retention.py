"""Retention: attention whose past fits into matrices of a fixed size (Sun et al. 2023)."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from modules.attention import Weighing

# How much of a slot is kept in the next one: 1 - 1/32 by the first head, 1 - 1/512 by the last.
FORGOTTEN_FIRST, FORGOTTEN_LAST = 1 / 32, 1 / 512
TOKENS = 32  # of a chunk, about: fewer make more products, more make larger ones


def decays(n_heads: int, scale: float) -> Tensor:
    """kappa of each head, times `scale`. (heads,)"""
    exponents = torch.linspace(math.log(FORGOTTEN_FIRST), math.log(FORGOTTEN_LAST), n_heads)
    return scale * (1 - exponents.exp())


class Retained(NamedTuple):
    """What retention gives, and its state after each slot, for whoever wants it."""

    answers: Tensor  # (R, L, N, H)
    states: Callable[[], Tensor]  # (R, L, heads, d, d)


class Retention(Weighing):
    """Several heads over rows of slots, in each of which N tokens stand.

    Recurrently, S <- kappa S at every slot, S <- S + k'v at every token, and the answer is q S.
    Here a row is cut into chunks of a few slots, and those of a chunk are answered at once:

        answers = ((q k') * D) v + xi (q S_before)
        D_nm = kappa^(t_n - t_m),   xi_n = kappa^(t_n + 1)

    where t is the slot of a token in its chunk. D is 0 for later slots; with `causal` it is so for
    later tokens of the same slot, too, else these see each other.
    """

    kind, signed = "retention", True
    kappa: Tensor  # (heads,)

    def __init__(self, width: int, n_heads: int, decay: float, causal: bool = False) -> None:
        super().__init__()
        self.n_heads, self.causal = n_heads, causal
        self.register_buffer("kappa", decays(n_heads, decay), persistent=False)
        self._known: dict[tuple[object, ...], InTime] = {}
        self.query, self.key, self.value, self.gate, self.out = (_narrow(width) for _ in range(5))
        self.norm = nn.LayerNorm(width // n_heads, eps=1e-6)  # of each head; answers are small

    def forward(self, queries: Tensor, keys: Tensor, before: Tensor) -> Retained:
        """queries, keys (R, L, N, H) and the state before the first slot (R, heads, d, d)."""
        L, N = keys.shape[1:3]
        q, k, v = self._split(self.query(queries), self.key(keys), self.value(keys))
        slots = min(L, max(1, TOKENS // N))  # of a chunk
        q_, k_, v_ = in_chunks(slots, q, k, v)
        answers = self._answer(q_, k_, v_, before, slots)  # (R, chunks, heads, slots * N, d)
        answers = self.norm(answers.transpose(2, 3)).flatten(3).flatten(1, 2)
        answers = answers[:, : L * N].unflatten(1, (L, N))  # (R, L, N, H)
        gated = self.out(F.silu(self.gate(keys)) * answers)
        return Retained(gated, lambda: self._states(k, v, before))

    def weights(self, queries: Tensor, keys: Tensor) -> Tensor:
        """Products alone, of either sign."""
        q, k = self._split(self.query(queries), self.key(keys))
        scores = q.transpose(2, 3) @ k.permute(0, 1, 3, 4, 2)
        return scores.tril() if self.causal else scores

    def _split(self, *projected: Tensor) -> list[Tensor]:
        """(R, L, N, H) -> (R, L, N, heads, d)"""
        return [x.unflatten(-1, (self.n_heads, -1)) for x in projected]

    def _answer(self, q: Tensor, k: Tensor, v: Tensor, before: Tensor, slots: int) -> Tensor:
        """Chunks (R, chunks, heads, slots * N, d) -> the same."""
        decay, since, left, whole = self._in_time(slots, k.shape[3] // slots)
        states = before.unsqueeze(1)  # before each chunk (R, chunks, heads, d, d)
        if k.shape[1] > 1:
            added = (k[:, :-1] * left).transpose(-1, -2) @ v[:, :-1]
            states = running(before, added, whole)
        return (q @ k.transpose(-1, -2) * decay) @ v + since * (q @ states)

    def _in_time(self, slots: int, N: int) -> InTime:
        """Worked out once for each size, and place, that chunks have."""
        size = slots, N, self.kappa.device, self.kappa.dtype
        if size not in self._known:
            self._known[size] = in_time(self.kappa.reshape(-1, 1, 1), slots, N, self.causal)
        return self._known[size]

    def _states(self, k: Tensor, v: Tensor, before: Tensor) -> Tensor:
        """After each slot. k, v (R, L, N, heads, d)"""
        added = k.permute(0, 1, 3, 4, 2) @ v.transpose(2, 3)  # (R, L, heads, d, d)
        return running(before, added, self.kappa.reshape(-1, 1, 1))[:, 1:]


class InTime(NamedTuple):
    """How much of a token counts, by when it was and when it is asked for."""

    decay: Tensor  # D (heads, slots * N, slots * N)
    since: Tensor  # of the state before the chunk (heads, slots * N, 1)
    left: Tensor  # in the state after it (heads, slots * N, 1)
    whole: Tensor  # of the state before in that after (heads, 1, 1)


def in_time(kappa: Tensor, slots: int, N: int, causal: bool) -> InTime:
    """kappa (heads, 1, 1)"""
    places = torch.arange(slots, device=kappa.device).repeat_interleave(N)
    apart = (places[:, None] - places).to(kappa)
    decay = kappa ** apart.clamp_min(0) * (apart >= 0)
    since, left = (kappa ** x[:, None].to(kappa) for x in (places + 1, slots - 1 - places))
    return InTime(decay.tril() if causal else decay, since, left, kappa**slots)


def in_chunks(slots: int, *rows: Tensor) -> Iterator[Tensor]:
    """Rows cut into chunks of so many slots, the last filled up with zeros, which S does not keep.

    (R, L, N, heads, d) -> (R, chunks, heads, slots * N, d) each
    """
    for tokens in rows:
        missing = -tokens.shape[1] % slots
        full = F.pad(tokens, (0, 0, 0, 0, 0, 0, 0, missing)) if missing else tokens
        yield full.unflatten(1, (-1, slots)).flatten(2, 3).transpose(2, 3)


def running(first: Tensor, added: Tensor, kept: Tensor) -> Tensor:
    """What S is at first and after each S <- kept S + added. (R, n, ...) -> (R, n + 1, ...)"""
    states = [first]
    for each in added.unbind(1):
        states.append(kept * states[-1] + each)
    return torch.stack(states, dim=1)


def _narrow(width: int) -> nn.Linear:
    """Weights as in Sable's code: normal, with a deviation of 1 / width, and no bias."""
    made = nn.Linear(width, width, bias=False)
    nn.init.normal_(made.weight, std=1 / width)
    return made
