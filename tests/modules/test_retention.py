"""Retention over whole rows against its recurrent definition, which is written here alone."""

from __future__ import annotations

import math
from types import SimpleNamespace

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from modules import retention
from modules.agents.sable import SableAgent
from modules.attention import sinusoids
from modules.retention import Retention, decays

pytestmark = pytest.mark.usefixtures("double_precision")

R, L, N, H, HEADS = 3, 7, 4, 8, 2


def retention_of(causal: bool, decay: float = 0.8) -> Retention:
    torch.manual_seed(0)
    made = Retention(H, HEADS, decay, causal)
    with torch.no_grad():
        for param in made.parameters():
            param.copy_(torch.randn_like(param))
    return made


def recurrent(
    made: Retention, queries: Tensor, keys: Tensor, state: Tensor
) -> tuple[Tensor, Tensor]:
    """Slot by slot and token by token: S <- kappa S once a slot, then S <- S + k'v, and q S."""
    kappa, answers, states = made.kappa.reshape(-1, 1, 1), [], []
    for t in range(queries.shape[1]):
        q, k, v = (
            layer(x[:, t]).unflatten(-1, (HEADS, -1)).transpose(1, 2)  # (R, heads, N, d)
            for layer, x in ((made.query, queries), (made.key, keys), (made.value, keys))
        )
        state = kappa * state
        after = state + k.transpose(-1, -2) @ v
        rows = []
        for n in range(N):
            if made.causal:
                state = state + k[:, :, n, :, None] * v[:, :, n, None]
            seen = state if made.causal else after
            rows.append((q[:, :, n, None] @ seen).squeeze(2))  # (R, heads, d)
        state = after
        normed = F.layer_norm(
            torch.stack(rows, 1), (H // HEADS,), made.norm.weight, made.norm.bias, 1e-6
        )
        gate = F.silu(made.gate(keys[:, t]))
        answers.append(made.out(gate * normed.flatten(2)))
        states.append(state)
    return torch.stack(answers, 1), torch.stack(states, 1)


def tokens(seed: int) -> tuple[Tensor, Tensor, Tensor]:
    random = torch.Generator().manual_seed(seed)
    rows = (torch.randn(R, L, N, H, generator=random) for _ in range(2))
    return *rows, torch.randn(R, HEADS, H // HEADS, H // HEADS, generator=random)


@pytest.mark.parametrize("slots", [1, 2, 3, 7, 100])  # of a chunk
@pytest.mark.parametrize("decay", [0.0, 0.3, 1.0])
@pytest.mark.parametrize("causal", [False, True])
def test_whole_rows_equal_the_recurrence(
    causal: bool, decay: float, slots: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retention, "TOKENS", slots * N)
    made, (queries, keys, before) = retention_of(causal, decay), tokens(1)
    answers, states = recurrent(made, queries, keys, before)
    found = made(queries, keys, before)

    torch.testing.assert_close(found.answers, answers, rtol=0, atol=1e-10)
    torch.testing.assert_close(found.states(), states, rtol=0, atol=1e-10)
    for one, other in zip(*(slopes(made, x) for x in (found.answers, answers)), strict=True):
        torch.testing.assert_close(one, other, rtol=0, atol=1e-10)


def slopes(made: Retention, answers: Tensor) -> tuple[Tensor, ...]:
    weighed = (answers * torch.arange(1.0, answers.numel() + 1).reshape_as(answers)).mean()
    return torch.autograd.grad(weighed, list(made.parameters()), retain_graph=True)


@pytest.mark.parametrize("split", [[7], [1] * 7, [3, 4], [1, 5, 1], [2, 2, 3]])
@pytest.mark.parametrize("causal", [False, True])
def test_rows_may_be_cut_anywhere(causal: bool, split: list[int]) -> None:
    made, (queries, keys, state) = retention_of(causal), tokens(2)
    expected = made(queries, keys, state)
    answers, states = [], []
    for q, k in zip(queries.split(split, 1), keys.split(split, 1), strict=True):
        kept = made(q, k, state)
        answers.append(kept.answers)
        states.append(kept.states())
        state = states[-1][:, -1]

    torch.testing.assert_close(torch.cat(answers, 1), expected.answers, rtol=0, atol=1e-10)
    torch.testing.assert_close(torch.cat(states, 1), expected.states(), rtol=0, atol=1e-10)


@pytest.mark.parametrize("causal", [False, True])
def test_weights_are_what_values_of_the_slot_are_multiplied_by(causal: bool) -> None:
    """Without a state before, answers before the norm are weights times values."""
    made, (queries, keys, _) = retention_of(causal), tokens(6)
    weights = made.weights(queries, keys)  # (R, L, heads, N, N)
    value = made.value(keys).unflatten(-1, (HEADS, -1)).transpose(2, 3)
    answers = made.norm((weights @ value).transpose(2, 3)).flatten(3)
    blank = torch.zeros(R * L, HEADS, H // HEADS, H // HEADS)
    slots = (each.reshape(R * L, 1, N, H) for each in (queries, keys))

    found = made.out(F.silu(made.gate(keys)) * answers)
    torch.testing.assert_close(found, made(*slots, blank).answers.reshape_as(found))


def test_heads_forget_between_a_32nd_and_a_512th() -> None:
    expected = [1 - 1 / 32, 1 - 1 / math.sqrt(32 * 512), 1 - 1 / 512]
    assert decays(3, 1.0).tolist() == pytest.approx(expected)
    assert decays(1, 0.5).tolist() == pytest.approx([0.5 * (1 - 1 / 32)])


def test_places_are_told_apart_by_sines_and_cosines() -> None:
    found = sinusoids(torch.arange(50.0), 6)
    expected = [math.sin(7), math.cos(7), math.sin(7 / 10_000 ** (1 / 3))]
    assert found[7, :3].tolist() == pytest.approx(expected)
    assert len(found.unique(dim=0)) == 50
    assert sinusoids(torch.arange(5.0), 5).shape == (5, 5)


# ---------------------------------------------------------------- the network


def sable(**changes: float) -> SableAgent:
    settings = {"rnn_hidden_dim": H, "n_blocks": 2, "n_heads": HEADS, "slot_encoding": True}
    args = {**settings, "n_agents": N, "retention_decay": 0.8, **changes}
    torch.manual_seed(0)
    made = SableAgent(5, 3, 3, SimpleNamespace(**args))
    with torch.no_grad():
        for param in made.parameters():
            param.add_(0.3 * torch.randn_like(param))
    return made


@pytest.mark.parametrize("split", [[1] * 7, [3, 4], [5, 2]])
def test_the_network_goes_on_from_its_memory(split: list[int]) -> None:
    made, random = sable(), torch.Generator().manual_seed(3)
    inputs = torch.randn(R, L, N, 5 + 3, generator=random)
    outputs, memory = made.unroll(inputs)
    start, parts, values = None, [], []
    for part in inputs.split(split, 1):
        values.append(made.encode(part[..., :5], start).values())
        decoded, after = made.unroll(part, start)
        start = after[:, -1]
        parts.append((decoded, after))

    for whole, each in zip((outputs, memory), zip(*parts, strict=True), strict=True):
        torch.testing.assert_close(torch.cat(each, 1), whole, rtol=0, atol=1e-10)
    expected = made.encode(inputs[..., :5]).values()
    torch.testing.assert_close(torch.cat(values, 1), expected, rtol=0, atol=1e-10)
    assert memory.shape == (R, L, N, made.memory_size)
    assert made.init_hidden().shape == (N, made.memory_size)


def test_without_decay_and_encoding_a_slot_knows_nothing_of_others() -> None:
    made, random = sable(retention_decay=0.0, slot_encoding=False), torch.Generator().manual_seed(4)
    inputs = torch.randn(R, L, N, 5 + 3, generator=random)
    outputs, _ = made.unroll(inputs)
    alone, _ = made.unroll(inputs.reshape(R * L, 1, N, 8))
    remembering, _ = sable(slot_encoding=False).unroll(inputs)

    torch.testing.assert_close(alone.reshape_as(outputs), outputs, rtol=0, atol=1e-12)
    assert not torch.allclose(remembering[:, 1:], outputs[:, 1:])
    torch.testing.assert_close(remembering[:, :1], outputs[:, :1], rtol=0, atol=1e-12)


def test_the_slot_is_told_where_that_is_wanted() -> None:
    inputs = torch.ones(1, L, N, 5 + 3)
    told = sable(retention_decay=0.0).unroll(inputs)[0]
    untold = sable(retention_decay=0.0, slot_encoding=False).unroll(inputs)[0]

    assert len(untold[0].round(decimals=9).unique(dim=0)) == 1
    assert len(told[0].round(decimals=9).unique(dim=0)) == L
