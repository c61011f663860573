"""Attention among the agents of a team, and the blocks of networks that are made of it."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from modules.layers import Dense

# Gains of orthogonal weights (Wen et al. 2022): what is added to a residual starts small.
SMALL, BEFORE_ACTIVATION = 0.01, math.sqrt(2)

Step = Callable[[Tensor], Tensor]  # the next token (R, H) -> (R, H)


def layer(n_inputs: int, n_outputs: int, gain: float = SMALL, bias: bool = True) -> nn.Linear:
    """A linear layer with orthogonal weights and a bias of zero."""
    made = Dense(n_inputs, n_outputs, bias=bias)
    nn.init.orthogonal_(made.weight, gain)
    if bias:
        nn.init.zeros_(made.bias)
    return made


def feed_forward(width: int) -> nn.Sequential:
    """Two layers, as they follow attention in every block."""
    return nn.Sequential(layer(width, width, BEFORE_ACTIVATION), nn.GELU(), layer(width, width))


class Weighing(nn.Module):
    """Attention or retention: what values answer to queries, by weights from queries and keys."""

    kind: ClassVar[str]
    signed: ClassVar[bool]  # whether weights may be negative; if not, those of a query sum to 1
    n_heads: int
    query: nn.Linear
    key: nn.Linear
    value: nn.Linear

    def weights(self, queries: Tensor, keys: Tensor) -> Tensor:
        """Of the keys of a slot, for each of its queries.

        (..., N, H), (..., M, H) -> (..., heads, N, M)
        """
        raise NotImplementedError


class Attention(Weighing):
    """Several heads; with `causal` the i-th query attends to the first i + 1 keys alone."""

    kind, signed = "attention", False

    def __init__(self, width: int, n_heads: int, causal: bool = False) -> None:
        super().__init__()
        self.n_heads, self.causal = n_heads, causal
        self.query, self.key, self.value = (layer(width, width) for _ in range(3))
        self.out = layer(width, width)

    def forward(self, queries: Tensor, keys: Tensor) -> Tensor:
        """What the keys' values (..., M, H) answer to the queries. (..., N, H) -> (..., N, H)"""
        (v,) = self._split(self.value(keys))
        answers = self.weights(queries, keys) @ v  # (..., heads, N, d)
        return self.out(answers.transpose(-2, -3).flatten(-2))

    def weights(self, queries: Tensor, keys: Tensor) -> Tensor:
        """Softmax of scaled products."""
        q, k = self._split(self.query(queries), self.key(keys))
        scores = q @ k.transpose(-1, -2) / math.sqrt(q.shape[-1])
        if self.causal:
            scores = scores.masked_fill(later(scores.shape[-1], q.device), -math.inf)
        return scores.softmax(dim=-1)

    def in_turns(self) -> Step:
        """The same where tokens (R, H) come one at a time, each of which queries those so far."""
        project = by_head([self.query, self.key, self.value], self.n_heads)
        kept: list[list[Tensor]] = [[], []]  # keys and values (R * heads, 1, d)

        def answer(token: Tensor) -> Tensor:
            query, *new = project(token)
            for tokens, each in zip(kept, new, strict=True):
                tokens.append(each)
            k, v = (torch.cat(tokens, dim=1) for tokens in kept)
            return self.out(answers(query, k, v).view(token.shape))

        return answer

    def to_known(self, keys: Tensor) -> Step:
        """The same where queries (R, H) come one at a time, and keys (R, N, H) are known before."""
        k, v = (in_heads(project(keys), self.n_heads) for project in (self.key, self.value))
        project = by_head([self.query], self.n_heads)

        def answer(token: Tensor) -> Tensor:
            (query,) = project(token)
            return self.out(answers(query, k, v).view(token.shape))

        return answer

    def _split(self, *projected: Tensor) -> list[Tensor]:
        """(..., N, H) -> (..., heads, N, d)"""
        return [x.unflatten(-1, (self.n_heads, -1)).transpose(-2, -3) for x in projected]


def by_head(layers: Sequence[nn.Linear], n_heads: int) -> Callable[[Tensor], tuple[Tensor, ...]]:
    """What each layer makes of tokens, as one product: (R, H) -> (R * heads, 1, d) each."""
    weight = interleaved([layer.weight for layer in layers], n_heads)
    bias = interleaved([layer.bias for layer in layers], n_heads)
    size, parts = len(weight) // n_heads, len(layers)

    def project(tokens: Tensor) -> tuple[Tensor, ...]:
        made = F.linear(tokens, weight, bias)  # (R, heads * parts * d)
        return made.view(-1, 1, size).chunk(parts, dim=2)

    return project


def interleaved(parts: Sequence[Tensor], n_heads: int) -> Tensor:
    """The first head's rows of all parts, then the second's, ... (H, ...) -> (parts * H, ...)"""
    return torch.cat([part.unflatten(0, (n_heads, -1)) for part in parts], dim=1).flatten(0, 1)


def answers(queries: Tensor, keys: Tensor, values: Tensor) -> Tensor:
    """Softmax of scaled scores, times the values. (n, 1, d), (n, M, d) -> (n, 1, d)"""
    scale = queries.shape[-1] ** -0.5
    return torch.bmm(torch.bmm(queries * scale, keys.mT).softmax(dim=-1), values)


def in_heads(rows: Tensor, n_heads: int) -> Tensor:
    """(R, N, H) -> (R * heads, N, d)"""
    return rows.unflatten(2, (n_heads, -1)).transpose(1, 2).flatten(0, 1)


@lru_cache(maxsize=32)
def later(n: int, device: torch.device) -> Tensor:
    """True where a token comes after the one that asks. (n, n)"""
    return torch.ones(n, n, dtype=torch.bool, device=device).triu(1)


class EncoderBlock(nn.Module):
    """Everybody attends to everybody; each residual is normalised after its sum."""

    def __init__(self, width: int, n_heads: int) -> None:
        super().__init__()
        self.attention = Attention(width, n_heads)
        self.feed_forward = feed_forward(width)
        self.norm1, self.norm2 = nn.LayerNorm(width), nn.LayerNorm(width)

    def forward(self, x: Tensor) -> Tensor:
        x = self.norm1(x + self.attention(x, x))
        return self.norm2(x + self.feed_forward(x))


class DecoderBlock(nn.Module):
    """Actions attend to those before them, then what agents have seen attends to the actions."""

    def __init__(self, width: int, n_heads: int) -> None:
        super().__init__()
        self.among_actions = Attention(width, n_heads, causal=True)
        self.to_actions = Attention(width, n_heads, causal=True)
        self.feed_forward = feed_forward(width)
        self.norm1, self.norm2, self.norm3 = (nn.LayerNorm(width) for _ in range(3))

    def forward(self, x: Tensor, seen: Tensor) -> Tensor:
        """Actions x (..., N, H), of which the i-th is the one before agent i's; seen (..., N, H)"""
        x = self.norm1(x + self.among_actions(x, x))
        x = self.norm2(seen + self.to_actions(seen, x))
        return self.norm3(x + self.feed_forward(x))


def readout(
    n_inputs: int, width: int, n_outputs: int, norm: Callable[[int], nn.Module] = nn.LayerNorm
) -> nn.Sequential:
    """From features to values, or to what actions are drawn by."""
    return nn.Sequential(
        layer(n_inputs, width, BEFORE_ACTIVATION), nn.GELU(), norm(width), layer(width, n_outputs)
    )


def sinusoids(places: Tensor, width: int) -> Tensor:
    """Sines and cosines of a place in a sequence. (...) -> (..., H)"""
    rates = torch.arange(0, width, 2, device=places.device, dtype=places.dtype)
    angles = places.unsqueeze(-1) * torch.exp(rates * (-math.log(10_000) / width))
    return torch.stack([angles.sin(), angles.cos()], dim=-1).flatten(-2)[..., :width]
