"""`python src/main.py graph [RUN]`: who hears whom in what a run learned."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from components.episode_buffer import EpisodeBatch
from components.minibatch import valid_steps
from policies.contract import Policy
from policies.hearing import HearingPolicy
from reporting.figures import COLOURS, pyplot, write
from training.session import Session
from utils.errors import UserError
from viewing.episodes import hearing_policy, opened

if TYPE_CHECKING:
    from matplotlib.axes import Axes

EPISODES = 20
NUMBERED = 10  # agents up to which the shares are written into the picture


def main(argv: list[str]) -> int:
    with opened("graph", argv) as run:
        policy, whose, remark = hearing_policy(run.session)
        shares = hearing_shares(run.session, policy)
    title = f"{run.title}{whose}"
    sys.stdout.write(
        f"{title}: share of slots of {EPISODES} test episodes\n{remark}{table(shares)}"
    )
    path = run.chosen.folder / "graph.png"
    draw(shares, title, path)
    sys.stdout.write(f"drawn: {path}\n")
    return 0


def hearing_shares(session: Session, policy: Policy) -> Tensor:
    """In which share of the slots of test episodes i hears j. (N, N)"""
    if not isinstance(policy, HearingPolicy):
        raise UserError(
            f"Agents of mac={session.args.mac} hear nobody. Train some that do: --config=bnmappo, "
            "armappo or bppo."
        )
    heard: list[Tensor] = []
    for _ in range(EPISODES):
        heard.append(graphs_of(policy, session.runner.run(test_mode=True)))
    return torch.cat(heard).float().mean(dim=0)


@torch.no_grad()
def graphs_of(policy: HearingPolicy, batch: EpisodeBatch) -> Tensor:
    """Of every step. (steps, N, N)"""
    T = batch.max_seq_length - 1
    real = valid_steps(batch["filled"], batch["terminated"]).squeeze(-1) > 0  # (B, T)
    return policy.graphs(policy.whole(batch, T))[real]


def table(shares: Tensor) -> str:
    """A line for each agent that hears anybody."""
    lines = []
    for i, row in enumerate(shares.tolist()):
        heard = [f"{j} ({share:.0%})" for j, share in enumerate(row) if share > 0]
        lines.append(f"  agent {i} hears {', '.join(heard) or 'nobody'}\n")
    return "".join(lines)


def draw(shares: Tensor, title: str, path: Path) -> None:
    """The shares as a matrix, and as arrows from who speaks to who hears it."""
    plot = pyplot()
    figure, (matrix, ring) = plot.subplots(1, 2, figsize=(8.5, 4), layout="constrained")
    paint_matrix(matrix, shares)
    paint_arrows(ring, shares)
    figure.suptitle(title)
    write(figure, path)
    plot.close(figure)


def paint_matrix(axes: Axes, shares: Tensor) -> None:
    N = len(shares)
    image = axes.imshow(shares.numpy(), vmin=0, vmax=1, cmap="Blues")
    axes.grid(visible=False)
    axes.set(xlabel="agent that speaks", ylabel="agent that hears it")
    axes.set_xticks(range(N))
    axes.set_yticks(range(N))
    axes.figure.colorbar(image, ax=axes, label="share of slots")
    for i, j in np.ndindex(N, N) if N <= NUMBERED else ():
        share = float(shares[i, j])
        axes.text(j, i, f"{share:.2f}", ha="center", va="center",
                  color="white" if share > 0.5 else "black")  # fmt: skip


def paint_arrows(axes: Axes, shares: Tensor) -> None:
    """The darker, the more often."""
    N = len(shares)
    angles = np.pi / 2 - 2 * np.pi * np.arange(N) / N
    places = np.stack([np.cos(angles), np.sin(angles)], axis=1)
    for i, j in (shares > 0).nonzero().tolist():
        way = {"arrowstyle": "-|>", "shrinkA": 13, "shrinkB": 13, "color": COLOURS[0],
               "connectionstyle": "arc3,rad=0.12", "alpha": float(shares[i, j])}  # fmt: skip
        axes.annotate("", xy=places[i], xytext=places[j], arrowprops=way)
    for agent, (x, y) in enumerate(places.tolist()):
        axes.text(x, y, str(agent), ha="center", va="center",
                  bbox={"boxstyle": "circle", "facecolor": "white"})  # fmt: skip
    axes.set(xlim=(-1.3, 1.3), ylim=(-1.3, 1.3), aspect="equal")
    axes.axis("off")
