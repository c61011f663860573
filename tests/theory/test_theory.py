"""The paper's theory on exact gradients, through the levels that train networks."""

from __future__ import annotations

import itertools
import math
from pathlib import Path

import pytest
import torch
from torch import Tensor

from main import main
from theory.ascent import Ascent, one_update, sgd
from theory.games import CLIMBING, MEETING, Quadratic, matrix_game, meet_up, penalty
from theory.meetup import LIMIT, ORIGIN, distances

# ---------------------------------------------------------------- meet-up: golden numbers

GOLDEN = {
    0.5: {
        1: (0.2236067977, -0.3535533906, 3.486191e-02),
        2: (0.1935907785, -0.3299314359, 3.779289e-03),
        3: (0.1954660404, -0.3335438057, 3.324405e-04),
        4: (0.1951777625, -0.3333220069, 3.569599e-05),
        5: (0.1951954473, -0.3333561372, 3.138155e-06),
        10: (0.1951928684, -0.3333543491, 3.0e-11),
    },
    1.0: {
        1: (0.4472135955, -0.7071067812, 1.275133e-01),
        2: (0.3379826316, -0.5984807461, 3.043347e-02),
        3: (0.3515073644, -0.6300121421, 4.623870e-03),
        4: (0.3474155921, -0.6262553106, 1.100802e-03),
        5: (0.3478962578, -0.6273966315, 1.650608e-04),
        10: (0.3477623843, -0.6273000068, 5.0e-08),
    },
}
LIMITS = {0.5: (0.195192868386, -0.333354349109), 1.0: (0.347762400056, -0.627300054262)}


@pytest.mark.parametrize("rate", GOLDEN)
def test_meet_up_levels(rate: float) -> None:
    away = distances(rate)
    for k, (first, second, distance) in GOLDEN[rate].items():
        theta = one_update(meet_up, ORIGIN, rate, k).flatten().tolist()
        assert theta == pytest.approx((first, second), abs=1e-8)
        assert away[k] == pytest.approx(distance, rel=1e-2, abs=1e-12)
    limit = one_update(meet_up, ORIGIN, rate, LIMIT).flatten().tolist()
    assert limit == pytest.approx(LIMITS[rate], abs=1e-11)


@pytest.mark.parametrize("rate", [0.5, 1.0, 2.0, 2.6])
def test_meet_up_levels_approach_the_fixed_point(rate: float) -> None:
    """Below eta = d - 1 = 2.6055, every level is nearer by at least eta L = eta / (d - 1)."""
    ratio = rate / (math.sqrt(13) - 1)
    for start in ([0.0, 0.0], [1.5, -2.0], [-2.5, 0.7]):
        theta = torch.tensor(start, dtype=torch.float64).reshape(2, 1)
        fixed = one_update(meet_up, theta, rate, 400)
        away = [float((theta - fixed).norm())]
        away += [float((one_update(meet_up, theta, rate, k) - fixed).norm()) for k in range(1, 8)]
        for before, after in itertools.pairwise(away):
            assert after <= ratio * before + 1e-12


def test_higher_levels_need_not_be_nearer_to_the_optimum() -> None:
    """The counter-example to reading the theorem as a promise about the optimum."""
    away = [math.sqrt(2) * 0.6]
    for k in range(1, 6):
        theta = one_update(meet_up, MEETING + 0.6, 2.0, k)
        away.append(float((theta - MEETING).norm()))

    assert away == pytest.approx([0.8485, 1.1812, 0.1280, 0.6667, 0.3414, 0.5310], abs=5e-5)


def test_meet_up_payoffs_at_the_start_and_at_the_optimum() -> None:
    def payoff(theta: Tensor) -> list[float]:
        return meet_up(theta.reshape(1, 1, 2, 1).expand(1, 2, 2, 1))[0].tolist()

    assert payoff(ORIGIN) == pytest.approx([-0.1055728090, -1.7071067812], abs=1e-9)
    assert payoff(MEETING) == pytest.approx([0.0, 0.0], abs=1e-12)


def test_the_meetup_command_prints_and_draws(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("matplotlib")
    assert main(["meetup", str(tmp_path)]) == 0

    assert "0.1935907785   -0.3299314359     3.779289e-03" in capsys.readouterr().out
    drawn = sorted(path.name for path in tmp_path.iterdir())
    assert drawn == ["figure_2a.png", "figure_2b.png", "figure_3.png"]


@pytest.mark.parametrize("folder", ["/proc", "/proc/x", "/dev/null/x"])
def test_meetup_refuses_a_folder_before_it_computes(
    folder: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["meetup", folder]) == 2
    said = capsys.readouterr()

    assert said.out == ""
    assert f"cannot be written to {folder}: " in said.err
    assert "Give another folder: meetup FOLDER" in said.err


# ---------------------------------------------------------------- quadratic games


def random_game(seed: int, concave: bool = False) -> tuple[Quadratic, Tensor]:
    """A general-sum game of 2 to 5 agents with 1 to 3 parameters each, and where they start."""
    random = torch.Generator().manual_seed(seed)
    N = 2 + seed % 4
    D = 1 + seed % 3

    def draw(*shape: int) -> Tensor:
        return torch.randn(*shape, generator=random, dtype=torch.float64)

    A = draw(N, D, D)
    A = -A @ A.transpose(1, 2) if concave else A + A.transpose(1, 2)
    O = draw(N, D, N, D)
    O[range(N), :, range(N)] = 0
    return Quadratic(draw(N, D), A, O), draw(N, D)


def lipschitz(game: Quadratic) -> float:
    """The largest |d grad_i / d theta_-i|."""
    return max(float(torch.linalg.matrix_norm(o.flatten(1), 2)) for o in game.O)


@pytest.mark.parametrize("seed", range(12))
def test_the_level_recursion_and_its_closed_form(seed: int) -> None:
    """theta(K) - theta* = (I + eta P_K (A + O)) (theta - theta*), P_K = sum_{j<K} (eta O)^j."""
    game, theta = random_game(seed)
    A, O = game.matrices()
    rate, size = 0.05, theta.numel()
    stationary = torch.linalg.solve(A + O, -game.c.flatten())
    for K in (1, 2, 3, 5):
        power, total = torch.eye(size, dtype=torch.float64), torch.zeros(size, size).double()
        for _ in range(K):
            total, power = total + power, power @ (rate * O)
        update = torch.eye(size, dtype=torch.float64) + rate * total @ (A + O)
        expected = stationary + update @ (theta.flatten() - stationary)
        found = one_update(game, theta, rate, K).flatten()
        torch.testing.assert_close(found, expected, rtol=1e-10, atol=1e-10)


def test_consecutive_levels_are_bounded_as_theorem_4_2_says() -> None:
    """Eq. 5, with the gradients at level 0, which is all that the proof needs."""
    tightest = 0.0
    for seed in range(60):
        game, theta = random_game(seed)
        N = len(theta)
        L = lipschitz(game)
        rate = 0.9 / (L * (N - 1))
        levels = [theta] + [one_update(game, theta, rate, k) for k in range(1, 5)]
        largest = float(((levels[1] - theta) / rate).norm(dim=1).max())
        for k in range(1, 5):
            moved = float((levels[k] - levels[k - 1]).norm())
            bound = rate * (rate * L) ** (k - 1) * N * (N - 1) ** (k - 1) * largest
            assert moved <= bound * (1 + 1e-12)
            tightest = max(tightest, moved / bound)
    assert 0.3 < tightest < 1.0  # not a bound that anything would satisfy


def test_theorem_4_3_holds_for_squared_distances_in_cooperative_games() -> None:
    """|theta(inf) - theta*|^2 <= max (I + eta A)^2 / min (I - eta O)^2 |theta - theta*|^2."""
    for seed in range(15):
        game, theta = random_game(seed, concave=True)
        A, O = game.matrices()
        symmetric = (O + O.T) / 2
        game = Quadratic(game.c, game.A, symmetric.reshape(game.O.shape))
        rate = 0.9 / (lipschitz(game) * (len(theta) - 1))
        identity = torch.eye(len(A), dtype=torch.float64)
        stationary = torch.linalg.solve(A + symmetric, -game.c.flatten())
        limit = one_update(game, theta, rate, k_level=200).flatten()  # contracts by 0.9 a level
        top = torch.linalg.eigvalsh((identity + rate * A) @ (identity + rate * A)).max()
        bottom = torch.linalg.eigvalsh(
            (identity - rate * symmetric) @ (identity - rate * symmetric)
        ).min()
        before = (theta.flatten() - stationary).square().sum()
        assert (limit - stationary).square().sum() <= top / bottom * before * (1 + 1e-9)


def test_equation_8_as_printed_can_be_violated() -> None:
    """It is stated for the norm but proved for its square: here 0.327 is promised, 0.571 found."""
    curvature, coupled, rate = 0.6, 0.3, 1.0
    own = torch.full((2, 1, 1), -curvature, dtype=torch.float64)
    coupling = torch.zeros(2, 1, 2, 1, dtype=torch.float64)
    coupling[0, 0, 1, 0] = coupling[1, 0, 0, 0] = coupled
    game = Quadratic(torch.zeros(2, 1, dtype=torch.float64), own, coupling)
    theta = torch.ones(2, 1, dtype=torch.float64)
    limit = one_update(game, theta, rate, k_level=60)

    promised = (1 - rate * curvature) ** 2 / (1 - rate * coupled) ** 2
    assert float(limit.norm() / theta.norm()) == pytest.approx(math.sqrt(promised))
    assert math.sqrt(promised) > promised


def test_small_coupling_alone_does_not_make_updates_converge() -> None:
    """Eq. 13 says nothing about an agent's own curvature: with A > 0 the updates diverge."""
    own = torch.tensor([[[1.0]], [[1.0]]], dtype=torch.float64)
    coupling = torch.zeros(2, 1, 2, 1, dtype=torch.float64)
    coupling[0, 0, 1, 0] = coupling[1, 0, 0, 0] = 0.1
    game = Quadratic(torch.zeros(2, 1, dtype=torch.float64), own, coupling)
    ascent = Ascent(game, torch.ones(1, 2, 1, dtype=torch.float64), sgd(0.5), k_level=5)
    for _ in range(30):
        theta = ascent.step()

    assert theta.norm() > 1e4


# ---------------------------------------------------------------- matrix games


def share_at_optimum(payoff: Tensor, K: int, rate: float, starts: int, updates: int) -> float:
    """The share of random softmax policies that end where the payoff is largest."""
    random = torch.Generator().manual_seed(0)
    theta = torch.randn(starts, 2, 3, generator=random, dtype=torch.float64)
    ascent = Ascent(matrix_game(payoff), theta, sgd(rate), K)
    for _ in range(updates):
        theta = ascent.step()
    chosen = theta.argmax(dim=2)  # (starts, 2)
    return float((payoff[chosen[:, 0], chosen[:, 1]] == payoff.max()).double().mean())


@pytest.mark.slow
def test_levels_find_the_optimum_of_the_penalty_game_more_often() -> None:
    """Finding 5: 37.2, 48.8 and 52.3 % for K = 1, 2, 5 at a step of 0.1; here within 1.1 %."""
    found = {K: share_at_optimum(penalty(-100), K, 0.1, 2000, 300) for K in (1, 2, 5)}

    assert found[1] == pytest.approx(0.372, abs=0.025)
    assert found[2] == pytest.approx(0.488, abs=0.025)
    assert found[5] == pytest.approx(0.523, abs=0.025)


def test_no_level_makes_relative_overgeneralisation_go_away() -> None:
    """Climbing: about a quarter of all starts find 11, whatever K."""
    for K in (1, 5):
        assert share_at_optimum(CLIMBING, K, 0.1, 1000, 300) < 0.35
