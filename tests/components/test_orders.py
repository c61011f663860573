"""Who hears whom, and who acts when."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from components.orders import GRAPHS, ORDERS, earlier, in_words, turns
from utils.errors import UserError


def graph(seed: int, n_agents: int) -> Tensor:
    """Some of the edges of a random order. (N, N)"""
    random = torch.Generator().manual_seed(seed)
    order = torch.randperm(n_agents, generator=random)
    edges = torch.rand(n_agents, n_agents, generator=random) < 0.6
    return edges.tril(-1)[order][:, order]


def test_orders_and_graphs() -> None:
    assert ORDERS["sequential"](3).int().tolist() == [[0, 0, 0], [1, 0, 0], [1, 1, 0]]
    assert ORDERS["reverse"](3).int().tolist() == [[0, 1, 1], [0, 0, 1], [0, 0, 0]]
    assert GRAPHS["chain"](3).int().tolist() == [[0, 0, 0], [1, 0, 0], [0, 1, 0]]
    assert torch.equal(GRAPHS["full"](3), ORDERS["sequential"](3))
    assert [len(turns(GRAPHS[name](5))) for name in GRAPHS] == [1, 5, 5]
    assert all(len(turns(make(1))) == 1 for make in (*GRAPHS.values(), *ORDERS.values()))


def test_in_words() -> None:
    assert in_words(ORDERS["reverse"](3)) == "0 hears 1, 2; 1 hears 2"
    assert in_words(GRAPHS["empty"](3)) == ""


def test_drawn_orders_are_turns_of_one_agent_each() -> None:
    places = torch.rand(4, 7, 5, generator=torch.Generator().manual_seed(0))
    listens = earlier(places)
    acted = torch.stack(turns(listens))  # (turns, 4, 7, N)

    assert acted.shape == (5, 4, 7, 5)
    assert torch.equal(acted.int().argmax(dim=0), places.argsort(dim=-1).argsort(dim=-1))


def test_a_batch_of_graphs_is_each_of_them() -> None:
    graphs = torch.stack([graph(seed, 6) for seed in range(20)])
    together = turns(graphs)

    for place, listens in enumerate(graphs):
        alone = turns(listens)
        assert all(
            torch.equal(one[place], other) for one, other in zip(together, alone, strict=False)
        )
        assert not any(acting[place].any() for acting in together[len(alone) :])


def test_who_hears_only_those_who_have_acted_acts() -> None:
    chain = torch.tensor([[0, 0, 0], [1, 0, 0], [0, 1, 0]]).bool()
    fork = torch.tensor([[0, 0, 1], [0, 0, 1], [0, 0, 0]]).bool()

    assert [acting.tolist() for acting in turns(chain)] == torch.eye(3).bool().tolist()
    assert [acting.tolist() for acting in turns(fork)] == [
        [False, False, True],
        [True, True, False],
    ]
    assert len(turns(torch.zeros(5, 5).bool())) == 1
    for seed in range(20):
        listens, acted = graph(seed, 6), torch.zeros(6).bool()
        for acting in turns(listens):
            assert not (listens[acting] & ~acted).any()
            assert not (acted & acting).any()
            acted |= acting
        assert acted.all()


@pytest.mark.parametrize("circle", [torch.eye(2), 1 - torch.eye(2)])
def test_nobody_hears_itself_even_through_others(circle: Tensor) -> None:
    with pytest.raises(UserError, match="in a circle"):
        turns(circle.bool())
