"""Sable (Mahjoub et al. 2025): MAT's two halves with retention, so that they remember."""

from __future__ import annotations

import math
from types import SimpleNamespace
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from modules.agents.team import Decoded, Encoded, TeamNetwork, of_inputs, shifted
from modules.attention import BEFORE_ACTIVATION, layer, readout, sinusoids
from modules.retention import Retained, Retention


class EncoderBlock(nn.Module):
    """All tokens of a slot query each other, and what is kept of the slots before."""

    def __init__(self, width: int, n_heads: int, decay: float) -> None:
        super().__init__()
        self.retention = Retention(width, n_heads, decay)
        self.norm = nn.RMSNorm(width)

    def forward(self, x: Tensor, time: Tensor, before: Tensor) -> Retained:
        timed = x + time
        kept = self.retention(timed, timed, before)
        return kept._replace(answers=self.norm(x + kept.answers))


class DecoderBlock(nn.Module):
    """Actions retain those before them; then encoded observations query the actions."""

    def __init__(self, width: int, n_heads: int, decay: float) -> None:
        super().__init__()
        self.among_actions = Retention(width, n_heads, decay, causal=True)
        self.to_actions = Retention(width, n_heads, decay, causal=True)
        self.norm1, self.norm2 = nn.RMSNorm(width), nn.RMSNorm(width)

    def forward(self, x: Tensor, seen: Tensor, time: Tensor, before: Tensor) -> list[Retained]:
        """x, seen (R, L, N, H), before (R, 2, heads, d, d); the last answers are the block's."""
        among = self.among_actions(x + time, x + time, before[:, 0])
        x = self.norm1(x + among.answers)
        to = self.to_actions(seen + time, x + time, before[:, 1])
        return [among, to._replace(answers=self.norm2(seen + to.answers))]


class Memory(NamedTuple):
    """What rows begin with."""

    states: (
        Tensor  # of the encoder's, then of the decoder's retentions (R, 3 n_blocks, heads, d, d)
    )
    slots: Tensor  # how many slots of the episode are over (R,)


class SableAgent(TeamNetwork):
    """Acting is the way through rows with rows of one slot, so there is nothing recurrent beside.

    Memory is the state of every retention and a count of slots, as numbers in a row, which are
    shared out among the agents: (N, M) as of any agents, with zeros at the end.
    """

    needs = TeamNetwork.needs.also(uses={"retention_decay", "slot_encoding"})
    recurrent = True

    def __init__(
        self, n_inputs: int, n_actions: int, n_outputs: int, args: SimpleNamespace
    ) -> None:
        super().__init__(n_inputs, n_actions, n_outputs, args)
        H, blocks = self.width, range(args.n_blocks)
        of_block = H, args.n_heads, args.retention_decay
        self.shape = 3 * args.n_blocks, args.n_heads, H // args.n_heads, H // args.n_heads
        self.slot_encoding: bool = args.slot_encoding
        self.embed = nn.Sequential(
            of_inputs(nn.RMSNorm, n_inputs),
            layer(n_inputs, H, BEFORE_ACTIVATION, bias=False),
            nn.GELU(),
            nn.RMSNorm(H),
        )
        self.encoder = nn.ModuleList(EncoderBlock(*of_block) for _ in blocks)
        self.value = readout(H, H, 1, nn.RMSNorm)
        self.embed_actions = nn.Sequential(
            layer(1 + n_actions, H, BEFORE_ACTIVATION, bias=False), nn.GELU(), nn.RMSNorm(H)
        )
        self.decoder = nn.ModuleList(DecoderBlock(*of_block) for _ in blocks)
        self.action = readout(H, H, n_outputs, nn.RMSNorm)

    def encode(self, own: Tensor, start: Tensor | None = None) -> Encoded:
        memory = self.memory_of(start, own.shape[0])
        time, x, states = self.time(memory, own.shape[1]), self.embed(own), []
        for i, block in enumerate(self.encoder):
            kept = block(x, time, memory.states[:, i])
            x = kept.answers
            states.append(kept.states)
        return Encoded(x, self.value(x).squeeze(-1), start, tuple(states))

    def decode(self, encoded: Encoded, actions: Tensor) -> Decoded:
        memory = self.memory_of(encoded.start, actions.shape[0])
        time, x, states = (
            self.time(memory, actions.shape[1]),
            self.embed_actions(shifted(actions)),
            [],
        )
        for block, before in zip(self.decoder, self.of_decoder(memory), strict=True):
            kept = block(x, encoded.features, time, before)
            x = kept[-1].answers
            states += [each.states for each in kept]
        return Decoded(self.action(x), tuple(states))

    def of_decoder(self, memory: Memory) -> tuple[Tensor, ...]:
        """Two states for each block."""
        return memory.states[:, len(self.encoder) :].split(2, dim=1)

    def time(self, memory: Memory, L: int) -> Tensor:
        """Which slot of the episode it is. (R, L, 1, H)"""
        slots = memory.slots[:, None, None] + torch.arange(L, device=memory.slots.device)[:, None]
        encoded = sinusoids(slots, self.width)
        return encoded if self.slot_encoding else torch.zeros_like(encoded)

    # Memory

    @property
    def memory_size(self) -> int:
        return -(-(math.prod(self.shape) + 1) // self.n_agents)

    def memory_of(self, start: Tensor | None, n_rows: int) -> Memory:
        if start is None:
            start = self.init_hidden().expand(n_rows, -1, -1)
        numbers, size = start.flatten(1), math.prod(self.shape)
        return Memory(numbers[:, :size].unflatten(1, self.shape), numbers[:, size])

    def remember(self, encoded: Encoded, decoded: Decoded) -> Tensor:
        R, L = encoded.values.shape[:2]
        states = torch.stack([each() for each in encoded.states + decoded.states], dim=2)
        before = self.memory_of(encoded.start, R).slots[:, None, None]
        slots = before + torch.arange(1, L + 1, device=before.device)[:, None]  # (R, L, 1)
        numbers = torch.cat([states.flatten(2), slots.expand(R, L, 1)], dim=2)
        missing = self.n_agents * self.memory_size - numbers.shape[2]
        return F.pad(numbers, (0, missing)).unflatten(2, (self.n_agents, self.memory_size))
