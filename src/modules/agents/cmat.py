"""CMAT: a team agrees in thought, token by token, and then acts all at once."""

from __future__ import annotations

from types import SimpleNamespace

import torch
from torch import Tensor, nn

from modules.agents.team import Decoded, Encoded, TeamNetwork, of_inputs
from modules.attention import (
    BEFORE_ACTIVATION,
    Attention,
    EncoderBlock,
    feed_forward,
    layer,
    readout,
    sinusoids,
)

N_POOLS = 4  # maps by which what all agents see is pooled


class NormedFirst(EncoderBlock):
    """The same, where what enters a residual is normalised before, and not its sum."""

    def forward(self, x: Tensor) -> Tensor:
        normed = self.norm1(x)
        x = x + self.attention(normed, normed)
        return x + self.feed_forward(self.norm2(x))


class DecoderBlock(nn.Module):
    """Tokens attend to those before them, then to what all agents see."""

    def __init__(self, width: int, n_heads: int) -> None:
        super().__init__()
        self.among_tokens = Attention(width, n_heads, causal=True)
        self.to_seen = Attention(width, n_heads)
        self.feed_forward = feed_forward(width)
        self.norm1, self.norm2 = nn.LayerNorm(width), nn.LayerNorm(width)

    def forward(self, x: Tensor, seen: Tensor) -> Tensor:
        """x (..., L, H), seen (..., N, H) -> (..., L, H)"""
        normed = self.norm1(x)
        x = x + self.among_tokens(normed, normed)
        x = x + self.to_seen(self.norm2(x), seen)
        return x + self.feed_forward(x)


class Pool(nn.Module):
    """A few weighted sums over the agents, whatever their order and number."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.weigh = layer(width, N_POOLS)
        self.mix = nn.Sequential(
            layer(N_POOLS * width, width, BEFORE_ACTIVATION), nn.GELU(), layer(width, width)
        )

    def forward(self, seen: Tensor) -> Tensor:
        """(..., N, H) -> (..., H)"""
        weights = self.weigh(seen).softmax(dim=-2)  # (..., N, 4)
        return self.mix((weights.transpose(-1, -2) @ seen).flatten(-2))


class CMATAgent(TeamNetwork):
    """All agents act at the same time, from what they see and from a consensus about it.

    The consensus is thought up in as many tokens as there are agents: the first follows from what
    all agents see, pooled, which is valued, too; each next one from those before. None of them is
    an agent's, so that the order of agents means nothing, and nothing in it is drawn.
    """

    needs = TeamNetwork.needs
    hears = False

    def __init__(
        self, n_inputs: int, n_actions: int, n_outputs: int, args: SimpleNamespace
    ) -> None:
        super().__init__(n_inputs, n_actions, n_outputs, args)
        H, blocks = self.width, range(args.n_blocks)
        self.embed = nn.Sequential(
            of_inputs(nn.LayerNorm, n_inputs), layer(n_inputs, H, BEFORE_ACTIVATION), nn.GELU()
        )
        self.encoder = nn.Sequential(*(NormedFirst(H, args.n_heads) for _ in blocks))
        self.seen_norm = nn.LayerNorm(H)
        self.pool = Pool(H)
        self.value = readout(H, H, 1)
        self.decoder = nn.ModuleList(DecoderBlock(H, args.n_heads) for _ in blocks)
        self.project = layer(H, H, gain=1.0)  # a thought into the token that follows
        self.gate = layer(H, 1)
        self.action = readout(2 * H, H, n_outputs)

    def encode(self, own: Tensor, start: Tensor | None = None) -> Encoded:
        seen = self.seen_norm(self.encoder(self.embed(own)))  # (R, L, N, H)
        prefix = self.pool(seen)  # (R, L, H)
        consensus = self.agree(prefix, seen).unsqueeze(-2).expand_as(seen)
        values = self.value(prefix).expand(seen.shape[:-1])  # the same for all (R, L, N)
        return Encoded(torch.cat([seen, consensus], dim=-1), values)

    def agree(self, prefix: Tensor, seen: Tensor) -> Tensor:
        """The thoughts of the team, weighed. prefix (..., H), seen (..., N, H) -> (..., H)"""
        places = torch.arange(self.n_agents, device=seen.device, dtype=seen.dtype)
        places = sinusoids(places, self.width)  # (N, H)
        tokens = prefix.unsqueeze(-2)  # (..., 1, H)
        for length in range(1, self.n_agents + 1):
            thoughts = tokens + places[:length]
            for block in self.decoder:
                thoughts = block(thoughts, seen)
            if length < self.n_agents:
                tokens = torch.cat([tokens, self.project(thoughts[..., -1:, :])], dim=-2)
        weights = self.gate(thoughts).softmax(dim=-2)  # (..., N, 1)
        return (weights * thoughts).sum(dim=-2)

    def decode(self, encoded: Encoded, actions: Tensor) -> Decoded:
        return Decoded(self.action(encoded.features))
