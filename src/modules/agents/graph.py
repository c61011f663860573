"""Who hears whom, learned: graphs drawn in every slot from what all agents see."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from components.discrete_head import straight_through
from components.orders import full

SURE = 5.0  # the logit of an edge whose query and key are one
NO_NOISE = 0.5  # as a uniform number: the median of every edge, and the same for all places


class Beliefs(NamedTuple):
    """What graphs are drawn from."""

    edges: Tensor  # logits: i would hear j, were j before it (..., N, N)
    scores: Tensor  # the higher, the sooner an agent acts (..., N)


class GraphSampler(nn.Module):
    """A DeepSet: an agent's view and the mean over all agents' give its score, a query and a key.

    Who could hear whom is what queries and keys agree on: cosines, so that no edge becomes so sure
    that it has no gradient any more. Agents are exchangeable but for what they see, and any number
    of them goes through the same weights.
    """

    def __init__(self, input_size: int, width: int) -> None:
        super().__init__()
        self.fc1 = nn.Linear(input_size, width)
        self.fc2 = nn.Linear(2 * width, width)
        self.query, self.key = nn.Linear(width, width), nn.Linear(width, width)
        self.score = nn.Linear(width, 1, bias=False)  # only differences count
        self.bias = nn.Parameter(torch.zeros(1))  # of all edges

    def forward(self, own: Tensor) -> Beliefs:
        """own (..., N, F)"""
        each = F.relu(self.fc1(own))  # (..., N, H)
        together = each.mean(dim=-2, keepdim=True).expand_as(each)
        features = F.relu(self.fc2(torch.cat([each, together], dim=-1)))  # (..., N, H)
        queries, keys = (F.normalize(f(features), dim=-1) for f in (self.query, self.key))
        edges = SURE * queries @ keys.transpose(-1, -2) + self.bias  # (..., N, N)
        return Beliefs(edges, self.score(features).squeeze(-1))


def noise_size(n_agents: int) -> int:
    """Uniform numbers an agent needs: one for its place, one for each agent it might hear."""
    return 1 + n_agents


def drawn_graph(beliefs: Beliefs, uniform: Tensor) -> Tensor:
    """1 at [i, j] if i hears j, with a gradient to the beliefs. uniform (..., N, 1 + N)

    G = edges and order: an edge is open with probability sigmoid(logit), the order is that of the
    scores with Gumbel noise. Whoever acts later may hear who acts sooner, so that no way leads
    back. Both are hard with the gradient of their relaxations (straight-through).
    """
    of_place, of_edges = uniform.clamp_min(torch.finfo(torch.float32).tiny).split(
        [1, uniform.shape[-1] - 1], dim=-1
    )
    edges = beliefs.edges + torch.logit(of_edges)  # (..., N, N)
    places = beliefs.scores - (-of_place.squeeze(-1).log()).log()  # (..., N)
    ahead = places.unsqueeze(-2) - places.unsqueeze(-1)  # of j before i (..., N, N)
    ties = full(ahead.shape[-1]).to(ahead.device)  # go to the smaller number
    before = (ahead > 0) | ((ahead == 0) & ties)
    return hard(edges > 0, edges) * hard(before, ahead)


def hard(value: Tensor, logits: Tensor) -> Tensor:
    """What is true, with the gradient of its probability."""
    return straight_through(value.to(logits), torch.sigmoid(logits))


def edge_entropy(beliefs: Beliefs) -> Tensor:
    """In nats, the mean over all pairs of two agents. (...)"""
    logits, N = beliefs.edges, beliefs.edges.shape[-1]
    entropy = F.softplus(logits) - logits * torch.sigmoid(logits)  # (..., N, N)
    others = 1 - torch.eye(N, device=logits.device, dtype=logits.dtype)
    return (entropy * others).sum(dim=(-2, -1)) / max(1, N * (N - 1))


def open_share(graph: Tensor) -> Tensor:
    """Of the N (N - 1) / 2 edges that a graph can have at most. (..., N, N) -> (...)"""
    N = graph.shape[-1]
    return graph.sum(dim=(-2, -1)) / max(1, N * (N - 1) // 2)
