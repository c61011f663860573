"""`python src/main.py turns`: how stable K levels are when agents step at once and in turns.

Team games J(theta) = theta' H theta / 2, the same for all agents, with H = -M M' and M normal: 2 to
5 agents with 1 to 3 parameters each. Plain ascent is stable up to eta = 2 / lambda, where lambda is
the largest eigenvalue of -H; steps here are a share f of that. One update is a matrix, found by the
levels that train networks: its spectral radius is the share of the distance to the optimum that an
update leaves in the end, and above 1 updates diverge.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

import torch
from torch import Tensor

from theory.ascent import Ascent, sgd
from theory.drawing import draw, folder_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes

GAMES = 1500
SHARES = (0.5, 0.75, 0.95)  # of the largest stable step
LEVELS = (1, 2, 3, 5)
SHAPES = [(N, D) for N in (2, 3, 4, 5) for D in (1, 2, 3)]
SIDES = {"at once": False, "in turns": True}


@dataclass(frozen=True)
class Team:
    """A payoff (see `theory.games`): the game of each row has its own H (B, N, D, N, D)."""

    H: Tensor

    def __call__(self, joint: Tensor) -> Tensor:
        return 0.5 * torch.einsum("brnd,bndme,brme->br", joint, self.H, joint)


class Stability(NamedTuple):
    """Of one update, over all games."""

    median: float  # spectral radius
    diverging: float  # share of games


def random_teams(count: int, N: int, D: int, seed: int) -> Tensor:
    """H of `count` games, scaled so that steps are stable up to 1. (count, N, D, N, D)"""
    random = torch.Generator().manual_seed(seed)
    M = torch.randn(count, N * D, N * D, generator=random, dtype=torch.float64)
    H = -M @ M.transpose(1, 2)
    largest = -torch.linalg.eigvalsh(H)[:, 0]
    return (2 * H / largest[:, None, None]).reshape(count, N, D, N, D)


def update_matrices(H: Tensor, rate: float, k_level: int, order: Sequence[int] = ()) -> Tensor:
    """What one update does to theta, from what it does to each unit vector. (count, P, P)"""
    count, N, D = H.shape[:3]
    P = N * D
    units = torch.eye(P, dtype=H.dtype).reshape(P, N, D).repeat(count, 1, 1)
    ascent = Ascent(Team(H.repeat_interleave(P, dim=0)), units, sgd(rate), k_level, in_turns=order)
    return ascent.step().reshape(count, P, P).transpose(1, 2)


@lru_cache
def stability(share: float, k_level: int, in_turns: bool, games: int = GAMES) -> Stability:
    """Of steps that are this share of the largest stable one."""
    radii = []
    for seed, (N, D) in enumerate(SHAPES):
        H = random_teams(games // len(SHAPES), N, D, seed)
        order = range(N) if in_turns else ()
        updates = update_matrices(H, share, k_level, order)
        radii.append(torch.linalg.eigvals(updates).abs().amax(dim=1))
    radius = torch.cat(radii)
    return Stability(float(radius.median()), float((radius > 1).double().mean()))


def table() -> str:
    """Medians, and how many games diverge."""
    lines = [f"{GAMES} team games: spectral radius of one update, median (share above 1)", ""]
    for side, in_turns in SIDES.items():
        lines.append(f"{side:10}" + "".join(f"{f'K = {K}':>15}" for K in LEVELS))
        for share in SHARES:
            found = [stability(share, K, in_turns) for K in LEVELS]
            cells = "".join(f"{each.median:8.4f} ({each.diverging:4.2f})" for each in found)
            lines.append(f"  f = {share:<4}" + cells)
        lines.append("")
    lines.append(
        "Steps are f 2 / lambda. K = 1 at once is the plain gradient, in turns HAPPO's sweep."
    )
    return "\n".join(lines) + "\n"


def paint(axes: Axes, value: str) -> None:
    """A line for each K, in turns and at once, over the size of steps."""
    shares = [0.5, 0.6, 0.7, 0.8, 0.85, 0.9, 0.95, 0.99]
    for in_turns, style in ((False, "o--"), (True, "s-")):
        for K, colour in zip(LEVELS, ("0.6", "tab:blue", "tab:orange", "tab:red"), strict=True):
            found = [getattr(stability(share, K, in_turns), value) for share in shares]
            label = f"K = {K}, {'in turns' if in_turns else 'at once'}"
            axes.plot(shares, found, style, color=colour, label=label, markersize=4)
    axes.set(xlabel="step, as a share of the largest stable one for K = 1 at once")
    axes.legend(fontsize="small")


def paint_medians(axes: Axes) -> None:
    paint(axes, "median")
    axes.set(title=f"One update, {GAMES} team games", ylabel="median spectral radius")


def paint_divergence(axes: Axes) -> None:
    paint(axes, "diverging")
    axes.set(title=f"One update, {GAMES} team games", ylabel="share of games that diverge")


def main(argv: list[str]) -> int:
    """`turns [FOLDER]`: print the table, draw the pictures into FOLDER (results/turns)."""
    folder = folder_of("turns", argv)
    sys.stdout.write(table())
    pictures = {"turns_radius": paint_medians, "turns_divergence": paint_divergence}
    for path in draw(folder, pictures):
        sys.stdout.write(f"drawn: {path}\n")
    return 0
