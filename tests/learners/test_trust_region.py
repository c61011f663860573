"""Trust-region steps on policies small enough to know the answer."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from components.discrete_head import DiscreteHead
from learners.optim import flatten
from learners.trust_region import Limits, TrustRegion, conjugate_gradients, flat_gradient
from modules.agents.rnn_agent import RNNAgent
from tests.make import A, N, O, T, make_args

LIMITS = Limits(kl=0.01, damping=0.1, cg_steps=10, tries=10, shrink=0.8, accept=0.5)
HEAD = DiscreteHead(A)
double = pytest.mark.usefixtures("double_precision")


class Problem:
    """A policy, its actions and how good they were."""

    def __init__(self, network: nn.Module, inputs: Tensor, advantages: str = "any") -> None:
        self.network, self.inputs = network, inputs
        self.params = list(network.parameters())
        self.old = self.outputs().detach()
        self.avail = (torch.rand_like(self.old) < 0.7).int()
        self.avail[..., 0] = 1
        probs = self.old.masked_fill(self.avail == 0, -torch.inf).softmax(dim=-1)
        actions = torch.multinomial(probs.reshape(-1, A), 1)
        self.actions = actions.reshape(*self.old.shape[:-1], 1)
        self.log_probs = HEAD.log_prob(self.old, self.avail, self.actions)
        self.advantages = torch.randn_like(self.log_probs) * (advantages == "any")

    def outputs(self) -> Tensor:
        made = self.network(self.inputs)
        return made if isinstance(made, Tensor) else made[0]

    def gain(self) -> Tensor:
        now = HEAD.log_prob(self.outputs(), self.avail, self.actions)
        return ((now - self.log_probs).exp() * self.advantages).mean()

    def divergence(self) -> Tensor:
        return HEAD.kl(self.old, self.outputs(), self.avail).mean()

    def region(self, **changes: Any) -> TrustRegion:
        return TrustRegion(self.params, self.gain, self.divergence, LIMITS._replace(**changes))


def feed_forward(seed: int, rows: int = 60, advantages: str = "any") -> Problem:
    torch.manual_seed(seed)
    network = nn.Sequential(nn.Linear(O, 8), nn.Tanh(), nn.Linear(8, A))
    return Problem(network, torch.randn(rows, O), advantages)


class Unrolled(nn.Module):
    """A recurrent agent over whole episodes: its GRU cannot be differentiated twice."""

    def __init__(self) -> None:
        super().__init__()
        self.agent = RNNAgent(O, make_args())

    def forward(self, inputs: Tensor) -> Tensor:
        return self.agent.unroll(inputs, None)[0]


def recurrent(seed: int) -> Problem:
    torch.manual_seed(seed)
    return Problem(Unrolled(), torch.randn(6, T, N, O))


# ---------------------------------------------------------------- products and systems


@double
@pytest.mark.parametrize("seed", range(3))
def test_fisher_products_are_those_of_double_backward(seed: int) -> None:
    problem = feed_forward(seed)
    region = problem.region(damping=0.0)
    for length in (1e-6, 1.0, 1e3):
        vector = length * torch.randn(len(flatten(problem.params)))
        slope = torch.autograd.grad(problem.divergence(), problem.params, create_graph=True)
        along = torch.cat([part.flatten() for part in slope]) @ vector
        exact = flatten(torch.autograd.grad(along, problem.params))
        found = region.product(vector)
        assert (found - exact).norm() < 1e-6 * exact.norm()
        damped = problem.region(damping=0.3).product(vector)
        torch.testing.assert_close(damped, found + 0.3 * vector)


@double
def test_fisher_products_of_a_recurrent_agent_make_a_symmetric_matrix_that_is_not_negative() -> (
    None
):
    problem = recurrent(0)
    product = problem.region(damping=0.0).product
    vectors = torch.randn(6, len(flatten(problem.params)))
    images = torch.stack([product(vector) for vector in vectors])
    between = vectors @ images.T

    assert (between - between.T).abs().max() < 1e-6 * between.abs().max()
    assert (torch.linalg.eigvalsh(between) > 0).all()


def test_single_precision_is_enough_for_a_recurrent_agent() -> None:
    """Against the same product in double precision."""
    problem = recurrent(0)
    vector = torch.randn(len(flatten(problem.params)))
    found = problem.region(damping=0.0).product(vector)
    problem.network.double()
    problem.inputs, problem.old = problem.inputs.double(), problem.old.double()
    problem.old = problem.outputs().detach()
    exact = problem.region(damping=0.0).product(vector.double())

    assert (found - exact).norm() < 0.01 * exact.norm()


@double
@pytest.mark.parametrize("size", [1, 2, 7, 12])
def test_conjugate_gradients_solve_a_system_in_as_many_steps_as_it_has_rows(size: int) -> None:
    torch.manual_seed(size)
    root = torch.randn(size, size)
    matrix = root @ root.T + torch.eye(size)
    target = torch.randn(size)
    expected = torch.linalg.solve(matrix, target)

    found = conjugate_gradients(lambda x: matrix @ x, target, size)
    torch.testing.assert_close(found, expected, rtol=1e-7, atol=1e-7)
    torch.testing.assert_close(  # and stand still afterwards
        conjugate_gradients(lambda x: matrix @ x, target, size + 50), expected, rtol=1e-7, atol=1e-7
    )
    if size > 2:
        early = conjugate_gradients(lambda x: matrix @ x, target, 1)
        assert (early - expected).norm() > 1e-3


def test_conjugate_gradients_of_nothing_are_nothing() -> None:
    assert not conjugate_gradients(lambda x: x, torch.zeros(3), 10).any()


# ---------------------------------------------------------------- steps


def bits(params: list[nn.Parameter]) -> list[bytes]:
    return [param.detach().numpy().tobytes() for param in params]


def test_no_step_ever_goes_beyond_the_limit() -> None:
    accepted = 0
    for seed in range(60):
        kl = 10 ** (-4 + 4 * (seed % 7) / 6)  # up to 1, where KL is far from quadratic
        problem = feed_forward(seed, rows=3 + 7 * (seed % 5))
        before, start = problem.gain().item(), bits(problem.params)
        done = problem.region(kl=kl, damping=0.1 * (seed % 3) + 1e-3).step()
        assert problem.divergence().item() <= kl
        assert problem.gain().item() - before == pytest.approx(done.gain.item(), abs=1e-7)
        assert problem.divergence().item() == pytest.approx(done.divergence.item(), abs=1e-7)
        moved = bits(problem.params) != start
        assert moved == bool(done.length > 0)
        accepted += moved
    assert 40 < accepted <= 60


def test_a_recurrent_agent_moves_and_keeps_the_limit() -> None:
    problem = recurrent(0)
    done = problem.region().step()

    assert 0.001 < problem.divergence().item() < 0.01
    assert done.gain > 0.01
    assert done.length > 0


@pytest.mark.parametrize(
    ("changes", "advantages"),
    [
        ({"accept": 50.0}, "any"),  # more than the gradient promises
        ({"tries": 0}, "any"),
        ({"kl": 0.0}, "any"),
        ({}, "none"),  # no gradient
    ],
)
def test_a_failed_search_leaves_every_weight_to_the_last_bit(
    changes: dict[str, float], advantages: str
) -> None:
    problem = feed_forward(0, advantages=advantages)
    with torch.no_grad():
        problem.params[1][:2] = -0.0  # whose sign is lost when zero is added
    start = bits(problem.params)
    done = problem.region(**changes).step()

    assert bits(problem.params) == start
    assert (done.gain, done.divergence, done.length) == (0, 0, 0)
    assert math.isfinite(done.grad_norm)


def test_weights_survive_a_gain_that_is_no_number_away_from_here() -> None:
    problem = feed_forward(0)
    start, here = bits(problem.params), flatten(problem.params)

    def gain() -> Tensor:
        is_here = (flatten(problem.params) == here).all()
        return torch.where(is_here, problem.gain(), math.nan)

    TrustRegion(problem.params, gain, problem.divergence, LIMITS).step()

    assert bits(problem.params) == start


@double
def test_small_steps_follow_the_natural_gradient() -> None:
    """kl -> 0: the direction is F^-1 g, and the KL all that is allowed."""
    torch.manual_seed(0)
    weights = nn.Parameter(torch.randn(3, A))

    class Table(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.weights = weights

        def forward(self, rows: Tensor) -> Tensor:
            return self.weights[rows]

    problem = Problem(Table(), torch.arange(3).repeat(40))
    problem.avail.fill_(1)
    problem.log_probs = HEAD.log_prob(problem.old, problem.avail, problem.actions)
    gradient = flat_gradient(problem.gain(), problem.params)
    probs = weights.detach().softmax(dim=-1) / 3  # the states are equally frequent
    blocks = [3 * torch.outer(p, p) for p in probs]
    fisher = torch.diag(probs.flatten()) - torch.block_diag(*blocks)
    natural = torch.linalg.lstsq(fisher, gradient.unsqueeze(1), driver="gelsd").solution.squeeze(1)
    start = flatten(problem.params)
    kl = 1e-9
    done = problem.region(kl=kl, damping=1e-9, cg_steps=30, accept=0.1).step()
    moved = flatten(problem.params) - start

    assert torch.cosine_similarity(moved, natural, dim=0) > 1 - 1e-6
    assert torch.cosine_similarity(moved, gradient, dim=0) < 0.99  # which is another direction
    assert done.divergence.item() == pytest.approx(kl * done.length.item() ** 2, rel=1e-3)
    assert done.length >= 0.8
