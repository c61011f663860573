"""The Multi-Agent Transformer (Wen et al. 2022)."""

from __future__ import annotations

from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

from torch import Tensor, nn

from modules.agents.team import (
    AttentionMap,
    Decoded,
    Encoded,
    TeamNetwork,
    maps_of_decoder,
    of_inputs,
    shifted,
)
from modules.attention import BEFORE_ACTIVATION, DecoderBlock, EncoderBlock, layer, readout


class MATAgent(TeamNetwork):
    """An encoder of what all agents see, which judges, and a decoder of what they do in turns.

    All turns are one pass where the actions are known: the mask alone says who hears whom.
    """

    needs = TeamNetwork.needs

    def __init__(
        self, n_inputs: int, n_actions: int, n_outputs: int, args: SimpleNamespace
    ) -> None:
        super().__init__(n_inputs, n_actions, n_outputs, args)
        H, blocks = self.width, range(args.n_blocks)
        self.embed = nn.Sequential(
            of_inputs(nn.LayerNorm, n_inputs),
            layer(n_inputs, H, BEFORE_ACTIVATION),
            nn.GELU(),
            nn.LayerNorm(H),
        )
        self.encoder: Any = nn.Sequential(*(EncoderBlock(H, args.n_heads) for _ in blocks))
        self.value = readout(H, H, 1)
        self.embed_actions = nn.Sequential(
            layer(1 + n_actions, H, BEFORE_ACTIVATION, bias=False), nn.GELU(), nn.LayerNorm(H)
        )
        self.decoder: Any = nn.ModuleList(DecoderBlock(H, args.n_heads) for _ in blocks)
        self.action = readout(H, H, n_outputs)

    def attention_maps(self) -> Iterator[AttentionMap]:
        for i, block in enumerate(self.encoder, start=1):
            yield AttentionMap(f"encoder {i}", block.attention)
        yield from maps_of_decoder(self.decoder)

    def encode(self, own: Tensor, start: Tensor | None = None) -> Encoded:
        features = self.encoder(self.embed(own))  # (R, L, N, H)
        return Encoded(features, lambda: self.value(features).squeeze(-1))

    def decode(self, encoded: Encoded, actions: Tensor) -> Decoded:
        x = self.embed_actions(shifted(actions))  # (R, L, N, H)
        for block in self.decoder:
            x = block(x, encoded.features)
        return Decoded(self.action(x))
