"""How heads compare two policies, and how they make a stored action a function of outputs."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from components.action_heads import ActionHead
from components.continuous_heads import ContinuousHead, GaussianHead
from components.discrete_head import DiscreteHead

ROWS, N, A = 300, 3, 5
LOW, HIGH = [[-1.0, -2.0], [0.0, -1.0], [-3.0, 1.0]], [[2.0, 2.0], [1.0, 1.0], [-1.0, 4.0]]
PADDED_LOW = [[-1.0] * 2 + [0.5], [-2.0] * 2 + [0.5]]
PADDED_HIGH = [[1.0] * 2 + [0.5], [2.0] * 2 + [0.5]]

pytestmark = pytest.mark.usefixtures("double_precision")


def discrete() -> tuple[DiscreteHead, Tensor]:
    avail = torch.rand(ROWS, N, A) < 0.6
    avail[..., 0] = True
    return DiscreteHead(A), avail.int()


def deterministic() -> tuple[ContinuousHead, Tensor]:
    return ContinuousHead(LOW, HIGH, 0.3), torch.ones(ROWS, N, 2)


def gaussian() -> tuple[GaussianHead, Tensor]:
    return GaussianHead(LOW, HIGH, 0.3), torch.ones(ROWS, N, 2)


HEADS = [discrete, deterministic, gaussian]


def outputs_of(head: ActionHead) -> Tensor:
    return torch.randn(ROWS, N, head.n_outputs, requires_grad=True)


def stored_of(head: ActionHead, outputs: Tensor, avail: Tensor) -> Tensor:
    """Actions that the policy draws, as a batch holds them."""
    return head.to_stored(head.sample(head.preferences(outputs.detach(), avail), avail))


# ---------------------------------------------------------------- KL


def test_discrete_kl_is_the_sum_over_available_actions() -> None:
    torch.manual_seed(0)
    head, avail = discrete()
    p, q = outputs_of(head), outputs_of(head)
    hidden = avail == 0
    expected = torch.zeros(ROWS, N)
    of_p = p.masked_fill(hidden, -torch.inf).softmax(dim=-1)
    of_q = q.masked_fill(hidden, -torch.inf).softmax(dim=-1)
    for action in range(A):
        term = of_p[..., action] * (of_p[..., action] / of_q[..., action]).log()
        expected += torch.where(hidden[..., action], 0.0, term)

    torch.testing.assert_close(head.kl(p, q, avail), expected)


def test_deterministic_kl_is_that_of_normals_around_the_modes() -> None:
    torch.manual_seed(0)
    head, avail = deterministic()
    p, q = outputs_of(head), outputs_of(head)
    normals = [torch.distributions.Normal(head.mode(each, avail), 0.3) for each in (p, q)]

    expected = torch.distributions.kl_divergence(*normals).sum(dim=-1)
    torch.testing.assert_close(head.kl(p, q, avail), expected)


def gaussian_normal(head: GaussianHead, outputs: Tensor) -> torch.distributions.Normal:
    spread = 0.3 * (3 * torch.tanh(outputs[..., 2:] / 3)).exp()
    return torch.distributions.Normal(head.mode(outputs, outputs), spread)


def test_gaussian_kl_is_that_of_the_normals_before_clamping() -> None:
    torch.manual_seed(0)
    head, avail = gaussian()
    p, q = outputs_of(head), outputs_of(head)

    normals = gaussian_normal(head, p), gaussian_normal(head, q)
    expected = torch.distributions.kl_divergence(*normals).sum(dim=-1)
    torch.testing.assert_close(head.kl(p, q, avail), expected)


def test_clamping_brings_gaussian_policies_together() -> None:
    """The KL of what is stored, by Monte Carlo: near the other where bounds are far, else less."""
    torch.manual_seed(0)
    for bound, clamps in ((30.0, False), (0.3, True)):
        head = GaussianHead([[-bound]], [[bound]], 0.3)
        p, q = torch.tensor([[0.0, 0.0]]), torch.tensor([[0.2 / bound, 0.5]])
        many, avail = p.expand(200_000, 1, 2), torch.ones(1, 1)
        actions = head.explore(many, avail)
        said = head.log_prob(many, avail, actions) - head.log_prob(
            q.expand_as(many), avail, actions
        )
        error = float(said.std()) / math.sqrt(len(said))
        excess = float(head.kl(p, q, avail) - said.mean())
        assert excess > 10 * error if clamps else abs(excess) < 4 * error


@pytest.mark.parametrize("make", HEADS)
def test_kl_is_zero_exactly_for_the_same_outputs_and_flat_there(make) -> None:  # noqa: ANN001
    torch.manual_seed(0)
    head, avail = make()
    p = outputs_of(head)
    apart = head.kl(p.detach(), p, avail)
    apart.sum().backward()

    assert not apart.any()
    assert p.grad.abs().max() < 1e-14
    assert (head.kl(p.detach(), outputs_of(head), avail) >= 0).all()


def test_actions_that_are_unavailable_are_in_no_kl_and_get_no_gradient() -> None:
    torch.manual_seed(0)
    head, avail = discrete()
    p, q = outputs_of(head), outputs_of(head)
    elsewhere = torch.where(avail == 0, torch.randn(ROWS, N, A) * 100, q.detach())
    apart = head.kl(p.detach(), q, avail)
    apart.sum().backward()

    assert torch.equal(head.kl(p.detach(), elsewhere, avail), apart)
    assert not q.grad[avail == 0].any()
    assert q.grad[avail.sum(dim=-1) > 1].any()
    assert not apart[avail.sum(dim=-1) == 1].any()  # who has no choice is always the same policy


def test_kl_stays_finite_for_policies_that_are_sure() -> None:
    head = DiscreteHead(3)
    p = torch.tensor([200.0, 0, -200]).float()
    q = p.flip(0).requires_grad_()
    apart = head.kl(p, q, torch.tensor([1, 0, 1]))
    apart.backward()

    assert apart == 400
    assert q.grad.isfinite().all()


# ---------------------------------------------------------------- stored actions, retraced


@pytest.mark.parametrize("make", HEADS)
def test_retraced_actions_are_the_stored_ones_to_the_last_bit(make) -> None:  # noqa: ANN001
    torch.manual_seed(0)
    head, avail = make()
    outputs = outputs_of(head)
    actions = stored_of(head, outputs, avail)
    retraced = head.retraced(outputs, avail, actions)

    assert torch.equal(retraced, head.vector(actions))
    assert torch.equal(head.stored(retraced), actions)


def test_discrete_noise_explains_the_stored_action_and_carries_its_gradient() -> None:
    torch.manual_seed(0)
    head, avail = discrete()
    outputs = outputs_of(head)
    actions = stored_of(head, outputs, avail)
    weights = torch.randn(ROWS, N, A)
    torch.manual_seed(1)
    noise = head.noise_given(outputs, avail, actions)
    torch.manual_seed(1)
    (retraced,) = torch.autograd.grad(
        (head.retraced(outputs, avail, actions) * weights).sum(), outputs
    )
    through = head.relaxed(outputs, avail, noise)
    (expected,) = torch.autograd.grad((through * weights).sum(), outputs)

    best = (outputs + noise).masked_fill(avail == 0, -torch.inf).argmax(dim=-1, keepdim=True)
    assert torch.equal(best, actions)
    assert torch.equal(head.stored(through), actions)
    assert torch.equal(retraced, expected)
    assert retraced.any()


def quantiles(values: Tensor) -> Tensor:
    return values.sort().values[:: len(values) // 20]


def test_explaining_noise_has_the_distribution_of_noise_that_made_the_action_win() -> None:
    """Compared with noise that is drawn freely and kept where the action wins."""
    torch.manual_seed(0)
    head, rows = DiscreteHead(3), 200_000
    outputs, avail = torch.tensor([0.0, 1.0, -0.5]).expand(rows, 3), torch.ones(rows, 3)
    free = head.noise(outputs)
    won = (outputs + free).argmax(dim=-1)
    for action in range(3):
        kept = free[won == action]
        actions = torch.full((len(kept), 1), action)
        found = head.noise_given(outputs[: len(kept)], avail[: len(kept)], actions)
        for each in range(3):
            apart = quantiles(found[:, each]) - quantiles(kept[:, each])
            assert apart[1:-1].abs().max() < 0.05
        correlation = torch.corrcoef(found.T) - torch.corrcoef(kept.T)
        assert correlation.abs().max() < 0.02


def test_noise_of_actions_drawn_from_the_policy_is_gumbel_again() -> None:
    torch.manual_seed(0)
    head, rows = DiscreteHead(4), 100_000
    outputs = torch.tensor([2.0, 0.0, 1.0, 3.0]).expand(rows, 4)
    avail = torch.tensor([1, 1, 1, 0]).expand(rows, 4)
    actions = head.stored(head.relaxed(outputs, avail, head.noise(outputs)))
    noise = head.noise_given(outputs, avail, actions)

    euler = 0.5772156649
    torch.testing.assert_close(noise.mean(dim=0), torch.full((4,), euler), atol=0.02, rtol=0)
    expected = torch.full((4,), math.pi / math.sqrt(6))
    torch.testing.assert_close(noise.std(dim=0), expected, atol=0.02, rtol=0)
    assert (torch.corrcoef(noise.T) - torch.eye(4)).abs().max() < 0.02


def test_retraced_actions_are_finite_where_nothing_is_available() -> None:
    """Padding has no available action at all, and action 0."""
    outputs, nothing = torch.randn(4, 3, requires_grad=True), torch.zeros(4, 3)
    head, actions = DiscreteHead(3), torch.zeros(4, 1, dtype=torch.long)
    head.retraced(outputs, nothing, actions)[:, 1].sum().backward()

    assert outputs.grad.isfinite().all()


def test_retraced_continuous_actions_follow_mode_and_spread() -> None:
    torch.manual_seed(0)
    head, avail = gaussian()
    outputs = outputs_of(head)
    noise = torch.randn(ROWS, N, 2)
    weights = torch.randn(ROWS, N, 2)
    normal = gaussian_normal(head, outputs)
    drawn = normal.mean + normal.stddev * noise
    (expected,) = torch.autograd.grad((drawn * weights).sum(), outputs, retain_graph=True)
    (found,) = torch.autograd.grad(
        (head.retraced(outputs, avail, drawn.detach()) * weights).sum(), outputs
    )

    torch.testing.assert_close(found, expected)
    assert (found[..., 2:] != 0).all()


# ---------------------------------------------------------------- padding, and one agent alone


@pytest.mark.parametrize("kind", [ContinuousHead, GaussianHead])
def test_padded_parts_are_in_no_kl_and_pass_no_gradient(kind: type[ContinuousHead]) -> None:
    torch.manual_seed(0)
    padded = kind(PADDED_LOW, PADDED_HIGH, 0.3)
    plain = kind([row[:2] for row in PADDED_LOW], [row[:2] for row in PADDED_HIGH], 0.3)
    groups = plain.n_outputs // 2
    raw = torch.randn(2, ROWS, 2, groups, 3, requires_grad=True)
    p, q = raw.flatten(3)
    avail = torch.ones(ROWS, 2, 3)
    apart = padded.kl(p, q, avail)
    actions = padded.explore(p, avail).detach()
    retraced = padded.retraced(p, avail, actions)
    (apart.sum() + retraced.square().sum()).backward()

    fewer = raw[..., :2].flatten(3)
    torch.testing.assert_close(apart, plain.kl(fewer[0], fewer[1], avail))
    assert not raw.grad[..., 2].any()
    assert raw.grad[0, ..., :2].all()


@pytest.mark.parametrize("make", HEADS)
def test_the_head_of_one_agent_says_what_its_row_of_the_whole_says(make) -> None:  # noqa: ANN001
    torch.manual_seed(0)
    head, avail = make()
    p, q = outputs_of(head), outputs_of(head)
    actions = stored_of(head, p, avail)
    for i in range(N):
        one, row = head.of(i), slice(i, i + 1)
        of_p, of_q, here = p[:, row], q[:, row], avail[:, row]
        for whole, part in (
            (head.mode(p, avail), one.mode(of_p, here)),
            (head.log_prob(p, avail, actions), one.log_prob(of_p, here, actions[:, row])),
            (head.entropy(p, avail), one.entropy(of_p, here)),
            (head.kl(p, q, avail), one.kl(of_p, of_q, here)),
            (head.retraced(p, avail, actions), one.retraced(of_p, here, actions[:, row])),
        ):
            assert torch.equal(whole[:, row], part)
        assert one.n_outputs == head.n_outputs
