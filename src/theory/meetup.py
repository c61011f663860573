"""`python src/main.py meetup`: the paper's Figures 2 and 3 from the production levels.

The paper states neither the step size nor the momentum of its figures; ours are in the titles.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from theory.ascent import Ascent, one_update, sgd
from theory.drawing import draw, folder_of
from theory.games import MEETING, START, meet_up

if TYPE_CHECKING:
    from matplotlib.axes import Axes

LEVELS = (1, 2, 3, 4, 5, 10)
LIMIT = 60  # levels that stand for infinitely many
RATES = (0.5, 1.0)
UPDATES, MOMENTUM = 30, 0.9
ORIGIN = torch.zeros(2, 1, dtype=torch.float64)


def distances(rate: float, start: Tensor = ORIGIN) -> dict[int, float]:
    """k -> distance of theta(k) from the fixed point of the recursion (GSPPM), for one update."""
    fixed = one_update(meet_up, start, rate, LIMIT)
    return {k: float((one_update(meet_up, start, rate, k) - fixed).norm()) for k in LEVELS}


def table() -> str:
    """The levels of one update from (0, 0)."""
    lines = ["Meet-up, one update from theta = (0, 0), plain gradient ascent", ""]
    for rate in RATES:
        lines.append(
            f"eta = {rate}     theta_1         theta_2         distance to the fixed point"
        )
        for k, distance in distances(rate).items():
            first, second = one_update(meet_up, ORIGIN, rate, k).flatten().tolist()
            lines.append(f"  k = {k:<3} {first:15.10f} {second:15.10f}     {distance:.6e}")
        lines.append("")
    lines.append(
        f"The optimum is ({MEETING[0, 0]:.10f}, {MEETING[1, 0]:.10f}). The distance to the fixed "
        "point falls with k;\nthe distance to the optimum need not (docs/k-level.md)."
    )
    return "\n".join(lines) + "\n"


def trajectory(k_level: int, rate: float, momentum: float) -> Tensor:
    """Parameters update by update from (0, 0). (UPDATES + 1, 2)"""
    ascent = Ascent(meet_up, ORIGIN.unsqueeze(0), sgd(rate, momentum), k_level)
    points = [ORIGIN.flatten()] + [ascent.step().flatten() for _ in range(UPDATES)]
    return torch.stack(points)


def shade(k: int) -> tuple[float, float, float]:
    """The higher the level, the darker."""
    light = 0.75 * (1 - LEVELS.index(k) / (len(LEVELS) - 1))
    return (light, light, 0.4 + light / 2)


def paint_actions(axes: Axes) -> None:
    """Where both step after one update of k levels; the dashed line is the optimum."""
    rate = 2.0
    axes.plot(*START.T.tolist(), linestyle="--", color="tab:green", label="optimal")
    for k in LEVELS[:4]:
        theta = one_update(meet_up, ORIGIN, rate, k)  # (2, 1)
        for place, angle in zip(START, theta[:, 0], strict=True):
            axes.annotate(
                "",
                xy=(float(place[0] + angle.cos()), float(place[1] + angle.sin())),
                xytext=place.tolist(),
                arrowprops={"arrowstyle": "->", "color": shade(k), "linewidth": 1.8},
            )
        axes.plot([], [], color=shade(k), label=f"k = {k}")
    axes.plot(*START.T.tolist(), "o", color="black")
    axes.set(title=f"One update from theta = (0, 0), eta = {rate}", aspect="equal")
    axes.margins(0.25)
    axes.legend(loc="lower right")


def paint_trajectories(axes: Axes) -> None:
    """Parameters under gradient ascent with momentum."""
    rate = 0.1
    for k in LEVELS[:5]:
        points = trajectory(k, rate, MOMENTUM)
        axes.plot(*points.T.tolist(), ".-", color=shade(k), linewidth=0.8, label=f"k = {k}")
    axes.plot(*MEETING.flatten().tolist(), "*", color="tab:green", markersize=14, label="optimum")
    axes.set(
        title=f"{UPDATES} updates, eta = {rate}, momentum {MOMENTUM}",
        xlabel="theta_1",
        ylabel="theta_2",
    )
    axes.legend()


def paint_distances(axes: Axes) -> None:
    """The levels of one update converge to the recursion's fixed point."""
    for rate in RATES:
        found = distances(rate)
        axes.semilogy(list(found), list(found.values()), "o-", label=f"eta = {rate}")
    axes.set(xlabel="level k", ylabel="distance to the fixed point (GSPPM)", title="One update")
    axes.legend()


def main(argv: list[str]) -> int:
    """`meetup [FOLDER]`: print the table, draw the pictures into FOLDER (results/meetup)."""
    folder = folder_of("meetup", argv)
    sys.stdout.write(table())
    for path in draw(folder, PICTURES):
        sys.stdout.write(f"drawn: {path}\n")
    return 0


PICTURES = {
    "figure_2a": paint_actions,
    "figure_2b": paint_trajectories,
    "figure_3": paint_distances,
}
