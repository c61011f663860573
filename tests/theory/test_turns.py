"""K levels in turns: sweeps over the agents, through the loop that trains networks."""

from __future__ import annotations

import copy
import itertools
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import Tensor

from learners.klevel_sweep import Sweeps
from main import main
from theory.ascent import Exact, Players, one_update, parameters_alone
from theory.games import Quadratic, meet_up
from theory.meetup import ORIGIN
from theory.turns import LEVELS, SHARES, Stability, random_teams, stability, update_matrices

RATE = 0.05


def game_of(seed: int) -> tuple[Quadratic, Tensor, list[int]]:
    """A general-sum game, where its players start, and in which order they move."""
    random = torch.Generator().manual_seed(seed)
    N, D = 2 + seed % 4, 1 + seed % 3

    def draw(*shape: int) -> Tensor:
        return torch.randn(*shape, generator=random, dtype=torch.float64)

    A, O = draw(N, D, D), draw(N, D, N, D)
    O[range(N), :, range(N)] = 0
    game = Quadratic(draw(N, D), A + A.transpose(1, 2), O)
    return game, draw(N, D), torch.randperm(N, generator=random).tolist()


# ---------------------------------------------------------------- what a sweep is


@pytest.mark.parametrize("seed", range(12))
def test_sweeps_and_their_closed_form(seed: int) -> None:
    """x(k) = (I - eta L)^-1 (theta + eta (c + A theta + U x(k - 1))): L couples to those before."""
    game, theta, order = game_of(seed)
    A, O = game.matrices()
    N, D = theta.shape
    place = torch.tensor([order.index(i) for i in range(N)]).repeat_interleave(D)
    before = place.unsqueeze(1) > place  # [i, j]: j has moved when i does
    L, U = torch.where(before, O, 0.0), torch.where(before, 0.0, O)
    identity = torch.eye(N * D, dtype=torch.float64)
    x = start = theta.flatten()
    for k in range(1, 6):
        known = start + RATE * (game.c.flatten() + A @ start + U @ x)
        x = torch.linalg.solve(identity - RATE * L, known)
        found = one_update(game, theta, RATE, k, in_turns=order).flatten()
        torch.testing.assert_close(found, x, rtol=1e-12, atol=1e-12)


def test_sweeps_and_levels_have_the_same_fixed_point() -> None:
    for seed in range(4):
        game, theta, order = game_of(seed)
        limit = one_update(game, theta, RATE, 60)
        torch.testing.assert_close(one_update(game, theta, RATE, 60, in_turns=order), limit)
        away = [(one_update(game, theta, RATE, k, in_turns=order) - limit).norm() for k in (1, 2)]
        assert away[1] < away[0]


def test_the_first_in_turn_takes_the_step_that_it_takes_at_once() -> None:
    at_once = one_update(meet_up, ORIGIN, 0.5, 1)
    for order in ([0, 1], [1, 0]):
        in_turns = one_update(meet_up, ORIGIN, 0.5, 1, in_turns=order)
        first, second = order
        assert torch.equal(in_turns[first], at_once[first])
        assert (in_turns[second] - at_once[second]).abs() > 1e-3


def test_one_agent_in_turns_is_one_at_once() -> None:
    game, theta, _ = game_of(0)
    alone = Quadratic(game.c[:1], game.A[:1], game.O[:1, :, :1])

    in_turns = one_update(alone, theta[:1], RATE, 3, in_turns=[0])
    assert torch.equal(in_turns, one_update(alone, theta[:1], RATE, 3))


def test_who_has_no_turn_stays() -> None:
    game, theta, _ = game_of(2)
    moved = one_update(game, theta, RATE, 2, in_turns=[0, 3])

    assert ((moved != theta).all(dim=1)).tolist() == [True, False, False, True]


# ---------------------------------------------------------------- optimisers, lengths and clips


def rmsprop(params: Any) -> torch.optim.Optimizer:
    return torch.optim.RMSprop(params, lr=0.03, eps=1e-5)


def adam(params: Any) -> torch.optim.Optimizer:
    return torch.optim.Adam(params, lr=0.03)


class Naive:
    """Word by word: each agent has an optimiser of its own, whose state is copied to and fro."""

    def __init__(
        self, game: Quadratic, theta: Tensor, make: Any, settings: SimpleNamespace
    ) -> None:
        self.game, self.settings, self.make = game, settings, make
        self.theta = [torch.nn.Parameter(own.clone()) for own in theta]
        self.states = [[make([own]).state_dict() for own in self.theta]] * settings.k_level
        self.opened = [False] * settings.k_level

    def gradient(self, i: int, others: list[Tensor]) -> Tensor:
        game = self.game
        coupled = sum(game.O[i, :, j] @ others[j] for j in range(len(others)))
        found: Tensor = game.c[i] + game.A[i] @ self.theta[i].detach() + coupled
        return found

    def moved(self, i: int, others: list[Tensor], state: Any, clip: float) -> tuple[Tensor, Any]:
        own = torch.nn.Parameter(self.theta[i].detach().clone())
        optimiser = self.make([own])
        optimiser.load_state_dict(copy.deepcopy(state))
        own.grad = -self.gradient(i, others)
        torch.nn.utils.clip_grad_norm_([own], clip)
        optimiser.step()
        return own.detach(), optimiser.state_dict()

    def step(self, order: list[int]) -> Tensor:
        kept, K, clip = self.settings.k_opt_state, self.settings.k_level, 0.7
        real = self.states[-1]
        x = [own.detach().clone() for own in self.theta]
        running = list(real)
        for level in range(1, K + 1):
            last = level == K
            at_level = running if kept == "carry" else list(real)
            if kept == "per_level" and not last and self.opened[level - 1]:
                at_level = list(self.states[level - 1])
            for i in order:
                x[i], at_level[i] = self.moved(i, x, at_level[i], clip)
                if not last:
                    x[i] = self.theta[i].detach() + 0.6 * (x[i] - self.theta[i].detach())
            running = at_level
            self.states[level - 1], self.opened[level - 1] = at_level, True
        with torch.no_grad():
            for own, to in zip(self.theta, x, strict=True):
                own.copy_(to)
        return torch.stack(x)


@pytest.mark.parametrize("make", [rmsprop, adam])
@pytest.mark.parametrize("kept", ["rollback", "carry", "per_level"])
@pytest.mark.parametrize("K", [1, 2, 3])
def test_states_of_optimisers_follow_each_agent(make: Any, kept: str, K: int) -> None:
    game, theta, order = game_of(2)
    settings = SimpleNamespace(
        k_level=K,
        k_opt_state=kept,
        k_lookahead_scale=0.6,
        k_clip_each_level=True,
        k_keep_norm=False,
        grad_norm_clip=0.7,  # of each turn by itself
    )
    players = Players(theta.unsqueeze(0))
    levels = Sweeps(players, make(players.parameters()), make, settings)
    naive = Naive(game, theta, make, settings)
    for _ in range(3):
        turns = [(i, [players.thetas[i]]) for i in order]
        levels.step_in_turns(Exact(game, players.theta), parameters_alone, turns, t_env=0)
        expected = naive.step(order)
        torch.testing.assert_close(players.theta[0, 0], expected, rtol=1e-10, atol=1e-12)


def test_what_sweeps_did_is_measured() -> None:
    game, theta, order = game_of(2)
    settings = SimpleNamespace(
        k_level=3,
        k_opt_state="rollback",
        k_lookahead_scale=1.0,
        k_clip_each_level=True,
        k_keep_norm=False,
        grad_norm_clip=1e9,
    )

    def make(params: Any) -> torch.optim.Optimizer:
        return torch.optim.SGD(params, lr=RATE)

    players = Players(theta.unsqueeze(0))
    levels = Sweeps(players, make(players.parameters()), make, settings)
    turns = [(i, [players.thetas[i]]) for i in order]
    objective = Exact(game, players.theta)
    step = levels.step_in_turns(objective, parameters_alone, turns, 0, diagnose=True)
    points = [theta] + [one_update(game, theta, RATE, k, in_turns=order) for k in (1, 2, 3)]
    moves = [(b - a).norm() for a, b in itertools.pairwise(points)]

    for k, move in enumerate(moves, start=1):
        assert step.diagnostics[f"k/step_{k}"] == pytest.approx(float(move))
    assert step.diagnostics["k/contraction"] == pytest.approx(float(moves[2] / moves[1]))
    assert step.diagnostics["k/grad_norm_1"] == pytest.approx(float(moves[0]) / RATE)
    assert step.grad_norm == pytest.approx(float((points[3] - theta).norm()) / RATE)
    assert 0 < step.diagnostics["k/cosine"] < 1


# ---------------------------------------------------------------- stability


def test_an_update_is_the_matrix_of_the_theory() -> None:
    """At once: I + eta P_K H, P_K the sum of (eta O)^j for j < K."""
    H = random_teams(3, 3, 2, seed=5)
    flat = H.reshape(3, 6, 6)
    blocks = torch.kron(torch.eye(3), torch.ones(2, 2)).double()
    O = flat * (1 - blocks)
    identity = torch.eye(6, dtype=torch.float64)
    power = identity + 0.9 * O + (0.9 * O) @ (0.9 * O)
    torch.testing.assert_close(update_matrices(H, 0.9, 3), identity + 0.9 * power @ flat)

    assert torch.linalg.eigvalsh(flat).amin(dim=1).tolist() == pytest.approx([-2, -2, -2])


@pytest.mark.parametrize(
    ("share", "K", "in_turns", "median", "diverging"),
    [
        (0.95, 1, False, 0.9948, 0.0),
        (0.95, 2, False, 0.9977, 0.30),
        (0.95, 3, False, 0.9960, 0.23),
        (0.95, 1, True, 0.9935, 0.0),
        (0.95, 2, True, 0.9919, 0.0),
        (0.95, 3, True, 0.9913, 0.0),
        (0.5, 2, False, 0.9968, 0.0),
        (0.5, 2, True, 0.9966, 0.0),
    ],
)
def test_sweeps_stay_stable_where_levels_at_once_do_not(
    share: float, K: int, in_turns: bool, median: float, diverging: float
) -> None:
    """As 1,500 other games of the same kind have it."""
    found = stability(share, K, in_turns)

    assert found.median == pytest.approx(median, abs=6e-4)
    assert found.diverging == pytest.approx(diverging, abs=0.03 if diverging else 0.01)


def test_the_turns_command_prints_and_draws(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("matplotlib")
    monkeypatch.setattr("theory.turns.stability", lambda *args: Stability(0.5, 0.25))
    assert main(["turns", str(tmp_path)]) == 0

    printed = capsys.readouterr().out
    assert printed.count("0.5000 (0.25)") == 2 * len(SHARES) * len(LEVELS)
    drawn = sorted(path.name for path in tmp_path.iterdir())
    assert drawn == ["turns_divergence.png", "turns_radius.png"]


def test_turns_refuses_a_folder_before_it_computes(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["turns", "/dev/null/x"]) == 2
    said = capsys.readouterr()

    assert said.out == ""
    assert "Give another folder: turns FOLDER" in said.err
