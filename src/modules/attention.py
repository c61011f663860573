"""Attention among the agents of a team, and the blocks of networks that are made of it."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor, nn

from modules.layers import Dense

# Gains of orthogonal weights (Wen et al. 2022): what is added to a residual starts small.
SMALL, BEFORE_ACTIVATION = 0.01, math.sqrt(2)


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


class Attention(nn.Module):
    """Several heads; with `causal` the i-th query attends to the first i + 1 keys alone."""

    def __init__(self, width: int, n_heads: int, causal: bool = False) -> None:
        super().__init__()
        self.n_heads, self.causal = n_heads, causal
        self.query, self.key, self.value = (layer(width, width) for _ in range(3))
        self.out = layer(width, width)

    def forward(self, queries: Tensor, keys: Tensor) -> Tensor:
        """What the keys' values (..., M, H) answer to the queries. (..., N, H) -> (..., N, H)"""
        q, k, v = self._split(self.query(queries), self.key(keys), self.value(keys))
        scores = q @ k.transpose(-1, -2) / math.sqrt(q.shape[-1])  # (..., heads, N, M)
        if self.causal:
            later = torch.ones(scores.shape[-2:], dtype=torch.bool, device=q.device).triu(1)
            scores = scores.masked_fill(later, -math.inf)
        answers = scores.softmax(dim=-1) @ v  # (..., heads, N, d)
        return self.out(answers.transpose(-2, -3).flatten(-2))

    def _split(self, *projected: Tensor) -> list[Tensor]:
        """(..., N, H) -> (..., heads, N, d)"""
        return [x.unflatten(-1, (self.n_heads, -1)).transpose(-2, -3) for x in projected]


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
