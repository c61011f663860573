"""CMAT: a team agrees in thought, token by token, and then acts all at once."""

from __future__ import annotations

from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import torch
from torch import Tensor, nn

from modules.agents.team import AttentionMap, Decoded, Encoded, TeamNetwork, of_inputs
from modules.attention import (
    BEFORE_ACTIVATION,
    Attention,
    EncoderBlock,
    Step,
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

    def in_turns(self, seen: Tensor) -> Step:
        """The same where tokens come one at a time. seen (R, N, H)"""
        among, to = self.among_tokens.in_turns(), self.to_seen.to_known(seen)

        def think(x: Tensor) -> Tensor:
            x = x + among(self.norm1(x))
            x = x + to(self.norm2(x))
            return x + self.feed_forward(x)

        return think


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
        self.encoder: Any = nn.Sequential(*(NormedFirst(H, args.n_heads) for _ in blocks))
        self.seen_norm = nn.LayerNorm(H)
        self.pool = Pool(H)
        self.value = readout(H, H, 1)
        self.decoder: Any = nn.ModuleList(DecoderBlock(H, args.n_heads) for _ in blocks)
        self.project = layer(H, H, gain=1.0)  # a thought into the token that follows
        self.gate = layer(H, 1)
        self.action = readout(2 * H, H, n_outputs)

    def attention_maps(self) -> Iterator[AttentionMap]:
        for i, block in enumerate(self.encoder, start=1):
            yield AttentionMap(f"encoder {i}", block.attention)
        for i, block in enumerate(self.decoder, start=1):
            yield AttentionMap(f"thoughts {i}", block.among_tokens, "thought", "thought")
            yield AttentionMap(f"thoughts {i} to agents", block.to_seen, "thought")

    def encode(self, own: Tensor, start: Tensor | None = None) -> Encoded:
        seen, prefix = self.seen_and_prefix(own)
        return self.encoded(seen, prefix, self.thoughts(prefix, seen))

    def seen_and_prefix(self, own: Tensor) -> tuple[Tensor, Tensor]:
        """What agents see, encoded (R, L, N, H), and all of it pooled (R, L, H)."""
        seen = self.seen_norm(self.encoder(self.embed(own)))
        return seen, self.pool(seen)

    def thoughts(self, prefix: Tensor, seen: Tensor) -> Tensor:
        """One after the other, each from those before. (R, L, H), (R, L, N, H) -> (R, L, N, H)"""
        blocks = [block.in_turns(seen.flatten(0, 1)) for block in self.decoder]
        token, thoughts = prefix.flatten(0, 1), []
        for place in self.places(seen):
            x = token + place
            for think in blocks:
                x = think(x)
            thoughts.append(x)
            token = self.project(x)
        return torch.stack(thoughts, dim=1).view_as(seen)

    def thoughts_again(self, prefix: Tensor, seen: Tensor, thoughts: Tensor) -> Tensor:
        """The same in one pass over the tokens that they led to."""
        tokens = torch.cat([prefix.unsqueeze(2), self.project(thoughts[:, :, :-1])], dim=2)
        x = tokens + self.places(seen)
        for block in self.decoder:
            x = block(x, seen)
        return x

    def places(self, seen: Tensor) -> Tensor:
        """Of the tokens, which are as many as agents. (N, H)"""
        numbers = torch.arange(self.n_agents, device=seen.device, dtype=seen.dtype)
        return sinusoids(numbers, self.width)

    def encoded(self, seen: Tensor, prefix: Tensor, thoughts: Tensor) -> Encoded:
        """The consensus is the thoughts, weighed, and beside what each agent sees."""
        weights = self.gate(thoughts).softmax(dim=-2)  # (R, L, N, 1)
        consensus = (weights * thoughts).sum(dim=-2, keepdim=True).expand_as(seen)
        return Encoded(
            torch.cat([seen, consensus], dim=-1),
            lambda: self.value(prefix).expand(seen.shape[:-1]),  # the same for all (R, L, N)
        )

    def decode(self, encoded: Encoded, actions: Tensor) -> Decoded:
        return Decoded(self.action(encoded.features))

    def in_whole_passes(self, inputs: Tensor, start: Tensor | None = None) -> Tensor:
        own, actions = self.own_and_actions(inputs)
        seen, prefix = self.seen_and_prefix(own)
        thoughts = self.thoughts_again(prefix, seen, self.thoughts(prefix, seen))
        return self.decode(self.encoded(seen, prefix, thoughts), actions).outputs
