"""Attention against torch's, and what the order of agents means to CMAT: nothing."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from modules.agents.cmat import CMATAgent
from modules.attention import Attention, DecoderBlock, layer

pytestmark = pytest.mark.usefixtures("double_precision")

R, N, H = 3, 5, 8


def randomised(module: Any) -> Any:
    torch.manual_seed(0)
    with torch.no_grad():
        for param in module.parameters():
            param.add_(0.3 * torch.randn_like(param))
    return module


@pytest.mark.parametrize("causal", [False, True])
@pytest.mark.parametrize("n_heads", [1, 2, 8])
def test_attention_is_that_of_torch(n_heads: int, causal: bool) -> None:
    ours = randomised(Attention(H, n_heads, causal))
    theirs = nn.MultiheadAttention(H, n_heads, batch_first=True)
    projections = ours.query, ours.key, ours.value
    with torch.no_grad():
        theirs.in_proj_weight.copy_(torch.cat([each.weight for each in projections]))
        theirs.in_proj_bias.copy_(torch.cat([each.bias for each in projections]))
        theirs.out_proj.load_state_dict(ours.out.state_dict())
    queries, keys = torch.randn(2, R, N, H)
    mask = torch.ones(N, N, dtype=torch.bool).triu(1) if causal else None
    expected, weights = theirs(queries, keys, keys, attn_mask=mask, average_attn_weights=False)

    torch.testing.assert_close(ours(queries, keys), expected)
    torch.testing.assert_close(ours.weights(queries, keys), weights)
    rows = queries.reshape(R, 1, N, H), keys.reshape(R, 1, N, H)  # as agents have them
    torch.testing.assert_close(ours(*rows).squeeze(1), expected)


def test_a_later_token_changes_no_earlier_one() -> None:
    block = randomised(DecoderBlock(H, 2))
    x, seen = torch.randn(2, R, N, H)
    before = block(x, seen)
    for changed in range(N):
        other = x.clone()
        other[:, changed] += 1
        differs = (block(other, seen) != before).any(dim=2).all(dim=0)
        assert differs.tolist() == [place >= changed for place in range(N)]


@pytest.mark.parametrize("n_heads", [1, 2])
def test_tokens_may_come_one_at_a_time(n_heads: int) -> None:
    among, to = (randomised(Attention(H, n_heads, causal)) for causal in (True, False))
    tokens, keys = torch.randn(2, R, N, H)
    for step, expected in (
        (among.in_turns(), among(tokens, tokens)),
        (to.to_known(keys), to(tokens, keys)),
    ):
        found = torch.stack([step(token) for token in tokens.unbind(1)], dim=1)
        torch.testing.assert_close(found, expected, rtol=0, atol=1e-10)


def test_weights_begin_orthogonal_and_small() -> None:
    made = layer(6, 6)
    torch.testing.assert_close(made.weight @ made.weight.t(), 1e-4 * torch.eye(6))
    assert not made.bias.any()


# ---------------------------------------------------------------- CMAT


def cmat(n_agents: int = N) -> CMATAgent:
    args = {"rnn_hidden_dim": H, "n_blocks": 2, "n_heads": 2, "n_agents": n_agents}
    return randomised(CMATAgent(6, 4, 3, SimpleNamespace(**args)))


def test_the_order_of_agents_means_nothing() -> None:
    made, own, order = cmat(), torch.randn(R, 2, N, 6), torch.randperm(N)
    encoded, other = made.encode(own), made.encode(own[:, :, order])
    outputs, others = (made.decode(each, own).outputs for each in (encoded, other))

    torch.testing.assert_close(others, outputs[:, :, order], rtol=0, atol=1e-12)
    torch.testing.assert_close(other.values(), encoded.values(), rtol=0, atol=1e-12)
    values = encoded.values()
    assert torch.equal(values, values[..., :1].expand_as(values))


def test_thoughts_come_from_those_before() -> None:
    """As if all were thought anew whenever there is one more; gradients, too."""
    made, own = cmat(), torch.randn(R, 2, N, 6)
    seen, prefix = (each.detach().requires_grad_() for each in made.seen_and_prefix(own))

    def thought_anew() -> Tensor:
        tokens = prefix.unsqueeze(2)
        for length in range(1, N + 1):
            thoughts = tokens + made.places(seen)[:length]
            for block in made.decoder:
                thoughts = block(thoughts, seen)
            tokens = torch.cat([tokens, made.project(thoughts[:, :, -1:])], dim=2)
        return thoughts

    ways = made.thoughts(prefix, seen), thought_anew()
    again = made.thoughts_again(prefix, seen, ways[0])
    learned = [seen, prefix, *made.decoder.parameters(), *made.project.parameters()]
    loss = torch.randn_like(seen)
    grads = [torch.autograd.grad((loss * thoughts).sum(), learned) for thoughts in ways]

    for found, expected in [ways, (again, ways[1]), *zip(*grads, strict=True)]:
        torch.testing.assert_close(found, expected, rtol=0, atol=1e-10)


def test_every_agent_s_outputs_depend_on_what_all_see() -> None:
    made, own = cmat(), torch.randn(1, 1, N, 6)
    before = made.decode(made.encode(own), own).outputs
    for seer in range(N):
        other = own.clone()
        other[:, :, seer] += torch.randn(6)
        assert (made.decode(made.encode(other), own).outputs != before).any(dim=3).all()
