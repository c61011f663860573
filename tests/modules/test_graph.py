"""Graphs that are drawn in every slot from what agents see."""

from __future__ import annotations

import math

import pytest
import torch

from components.orders import turns
from modules.agents.graph import (
    NO_NOISE,
    Beliefs,
    GraphSampler,
    drawn_graph,
    edge_entropy,
    noise_size,
    open_share,
)

pytestmark = pytest.mark.usefixtures("double_precision")

N = 5


def beliefs_of(n: int, seed: int = 0) -> Beliefs:
    random = torch.Generator().manual_seed(seed)
    return Beliefs(
        3 * torch.randn(n, N, N, generator=random), 3 * torch.randn(n, N, generator=random)
    )


def numbers(n: int, seed: int = 1) -> torch.Tensor:
    return torch.rand(n, N, noise_size(N), generator=torch.Generator().manual_seed(seed))


def test_no_way_leads_back_in_ten_thousand_draws() -> None:
    """Even where places are equal, or a random number is 0; `turns` raises on a circle."""
    beliefs, uniform = beliefs_of(10_000), numbers(10_000)
    beliefs.scores[:2000] = 1.0
    uniform[:1000] = NO_NOISE
    uniform[2000:3000, ::2] = 0.0
    graphs = drawn_graph(beliefs, uniform)

    assert set(graphs.unique().tolist()) == {0, 1}
    assert 0.2 < float(open_share(graphs).mean()) < 0.8
    assert len(turns(graphs.bool())) == N


def test_with_all_edges_open_every_two_agents_hear_each_other_one_way() -> None:
    beliefs = beliefs_of(500)._replace(edges=torch.full((500, N, N), 100.0))
    graphs = drawn_graph(beliefs, numbers(500))

    assert torch.equal(graphs + graphs.mT, (1 - torch.eye(N)).expand_as(graphs))
    assert torch.equal(open_share(graphs), torch.ones(500))


def test_edges_and_order_have_the_probabilities_that_are_believed() -> None:
    """Edges sigmoid(logit); two agents' order sigmoid of the difference of their scores."""
    n = 40_000
    beliefs = Beliefs(*(each.expand(n, *each.shape[1:]) for each in beliefs_of(1)))
    order = drawn_graph(beliefs._replace(edges=torch.full((n, N, N), 1e9)), numbers(n)).mean(dim=0)
    scores = beliefs.scores[0]
    expected = torch.sigmoid(scores - scores.unsqueeze(1))  # j before i
    apart = 1 - torch.eye(N)
    torch.testing.assert_close(order, expected * apart, atol=0.01, rtol=0)

    fixed = beliefs._replace(scores=-1e3 * torch.arange(N).expand(n, N))  # 0 acts first
    edges = drawn_graph(fixed, numbers(n)).mean(dim=0)
    expected = torch.sigmoid(beliefs.edges[0]).tril(-1)
    torch.testing.assert_close(edges, expected, atol=0.01, rtol=0)


def test_without_noise_the_likeliest_edges_and_the_order_of_scores() -> None:
    beliefs = beliefs_of(100)
    graphs = drawn_graph(beliefs, torch.full((100, N, 1 + N), NO_NOISE))
    before = beliefs.scores.unsqueeze(1) > beliefs.scores.unsqueeze(2)

    assert torch.equal(graphs.bool(), (beliefs.edges > 0) & before)


def test_gradients_are_those_of_the_relaxed_graph() -> None:
    """Of an edge where the order allows it, and of the order where the edge is open."""
    edges, scores = (each.requires_grad_() for each in beliefs_of(7))
    uniform, weights = numbers(7), torch.randn(7, N, N)
    (drawn_graph(Beliefs(edges, scores), uniform) * weights).sum().backward()

    with torch.no_grad():
        noisy = edges + torch.logit(uniform[..., 1:])
        places = scores - (-uniform[..., 0].log()).log()
        ahead = places.unsqueeze(1) - places.unsqueeze(2)
        slope = weights * (ahead > 0) * torch.sigmoid(noisy) * torch.sigmoid(-noisy)
        of_order = weights * (noisy > 0) * torch.sigmoid(ahead) * torch.sigmoid(-ahead)
        of_order = of_order * (1 - torch.eye(N))
    torch.testing.assert_close(edges.grad, slope)
    torch.testing.assert_close(scores.grad, of_order.sum(dim=1) - of_order.sum(dim=2))


def test_agents_are_exchangeable_and_all_weights_matter() -> None:
    torch.manual_seed(0)
    sampler, own = GraphSampler(7, 16), torch.randn(3, N, 7)
    shuffled = torch.randperm(N)
    found, other = sampler(own), sampler(own[:, shuffled])

    torch.testing.assert_close(other.scores, found.scores[:, shuffled])
    torch.testing.assert_close(other.edges, found.edges[:, shuffled][:, :, shuffled])
    weights = torch.randn(3, N, N)
    (drawn_graph(found, numbers(3)) * weights).sum().backward()
    unmoved = [n for n, p in sampler.named_parameters() if not p.grad.abs().sum() > 0]
    assert not unmoved


def test_entropy_and_share() -> None:
    sure = Beliefs(torch.full((2, N, N), -50.0), torch.zeros(2, N))
    assert float(edge_entropy(sure).max()) < 1e-18
    unsure = Beliefs(torch.zeros(2, N, N), torch.zeros(2, N))
    assert edge_entropy(unsure).tolist() == pytest.approx([math.log(2)] * 2)
    assert float(open_share(torch.ones(N, N).tril(-1))) == 1
    assert float(open_share(torch.zeros(1, 1))) == 0
