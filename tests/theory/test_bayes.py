"""The coordination game of Bayesian-network policies, with graphs that are fixed."""

from __future__ import annotations

import itertools

import pytest
import torch
from torch import Tensor

from main import main
from theory.bayes import (
    DISCOUNT,
    FLIP,
    ascend,
    best_value,
    bits,
    entries,
    graph,
    joint_policy,
    rewards,
    transitions,
    values,
)

pytestmark = pytest.mark.usefixtures("double_precision")
GRAPHS = [("empty", 2), ("full", 2), ("empty", 3), ("chain", 3), ("full", 3)]


def tables(N: int, rows: int = 4) -> Tensor:
    random = torch.Generator().manual_seed(N)
    return torch.randn(1, rows, 2**N, N, 2**N, 2, generator=random)


def policy_of(kind: str, N: int) -> Tensor:
    """(rows, S, 2^N)"""
    return joint_policy(tables(N), entries(graph(kind, N)).unsqueeze(0))[0]


def test_rewards_are_those_of_the_released_game() -> None:
    assert rewards(2).tolist() == [3, 0, 0, 2]
    assert rewards(3).tolist() == [3, 0, 0, 1, 0, 1, 1, 2]


@pytest.mark.parametrize("N", [2, 3])
def test_each_choice_is_turned_over_by_itself(N: int) -> None:
    for choice, state in itertools.product(range(2**N), repeat=2):
        expected = 1.0
        for a, s in zip(f"{choice:0{N}b}", f"{state:0{N}b}", strict=True):
            expected *= 1 - FLIP if a == s else FLIP
        assert transitions(N)[choice, state].item() == pytest.approx(expected)


@pytest.mark.parametrize(("kind", "N"), GRAPHS)
def test_policies_are_products_of_what_each_says_to_what_it_hears(kind: str, N: int) -> None:
    logits, hears = tables(N)[0], graph(kind, N)
    policy = policy_of(kind, N)
    for row, state, choice in itertools.product(range(4), range(2**N), range(2**N)):
        expected = 1.0
        for i in range(N):
            heard = bits(N)[choice] * hears[i]
            place = int("".join(str(int(bit)) for bit in heard), 2)
            said = logits[row, state, i, place].softmax(dim=0)
            expected *= float(said[bits(N)[choice, i]])
        assert policy[row, state, choice].item() == pytest.approx(expected)
    torch.testing.assert_close(policy.sum(dim=2), torch.ones(4, 2**N))


@pytest.mark.parametrize("N", [2, 3])
def test_values_are_discounted_rewards(N: int) -> None:
    """By sweeps of Bellman's equation, and the best by the same with a maximum."""
    policy = policy_of("full", N)
    expected, best = torch.zeros(4, 2**N), torch.zeros(2**N)
    for _ in range(800):
        onwards = expected @ transitions(N).T  # (4, 2^N choices)
        expected = rewards(N) + DISCOUNT * (policy @ onwards.unsqueeze(2)).squeeze(2)
        best = rewards(N) + DISCOUNT * (transitions(N) @ best).max()

    torch.testing.assert_close(values(policy, N), expected.sum(dim=1) / N)
    torch.testing.assert_close(best_value(N), best.sum() / N)
    assert (values(policy, N) < best_value(N)).all()


def test_gradients_are_exact() -> None:
    met = entries(graph("full", 2)).unsqueeze(0)

    def value(logits: Tensor) -> Tensor:
        return values(joint_policy(logits, met), 2)

    assert torch.autograd.gradcheck(value, tables(2, rows=1).requires_grad_())


def test_two_agents_coordinate_more_often_if_one_hears_the_other() -> None:
    """Of 400 starts .918 and .983 of the best on average, and 40 and 80 % come near it."""
    empty, full = ascend([graph("empty", 2), graph("full", 2)], starts=60)

    assert float(empty.mean()) == pytest.approx(0.918, abs=0.025)
    assert float(full.mean()) == pytest.approx(0.983, abs=0.012)
    assert float((full > 0.99).double().mean() - (empty > 0.99).double().mean()) > 0.2
    assert float(full.max()) < 1


@pytest.mark.slow
def test_three_agents_gain_with_each_edge() -> None:
    """Of 400 starts .884, .928 and .943."""
    empty, chain, full = ascend([graph(kind, 3) for kind in ("empty", "chain", "full")], starts=40)

    assert float(empty.mean()) == pytest.approx(0.884, abs=0.03)
    assert float(chain.mean()) == pytest.approx(0.928, abs=0.03)
    assert float(full.mean()) == pytest.approx(0.943, abs=0.03)


def test_the_bayes_command_prints_a_row_for_each_graph(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        "theory.bayes.ascend", lambda graphs, starts: torch.full((len(graphs), starts), 0.5)
    )
    assert main(["bayes", "4"]) == 0
    printed = capsys.readouterr().out

    assert "from 4 starts" in printed
    assert printed.count("0.500 +- 0.000") == len(GRAPHS)


@pytest.mark.parametrize("words", [["1"], ["x"], ["3", "4"]])
def test_bayes_refuses_what_is_no_number_of_starts(
    words: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["bayes", *words]) == 2
    assert f"bayes {' '.join(words)}: give nothing, or a number" in capsys.readouterr().err
