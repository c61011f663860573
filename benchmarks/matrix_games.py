"""Where on-policy learners end on the Climbing and Penalty games: a table of greedy outcomes.

    python benchmarks/matrix_games.py [--updates 100] [--seed 0] [--figure FILE.png] [names ...]

Settings of the BPPO paper: independent actors of 64 units, Adam 0.0005, 15 epochs, entropy 0.01,
100 updates of 10000 moves. Each move is a game of its own.

A game has nine outcomes, so nothing is played: how often each outcome comes up is drawn at once, by
the log-probabilities that any policy gives to stored actions, and it is learned from as one move
with that number as its weight in all means.
Twenty teams learn in one batch, each with weights, moves and a normalisation of its own. A loss is
the mean over all teams, so each team's gradients are smaller by their number, which Adam does not
see if its epsilon is smaller, too. Gradients are not clipped: the BPPO paper's limit of 10 was
never near. All else is done by the learners of every run.
"""

from __future__ import annotations

import argparse
import collections
import logging
import os
import sys
import time
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, NamedTuple

os.environ.setdefault("OMP_NUM_THREADS", "1")
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "src"))

import numpy as np
import torch
from benchmarks.matrix_teams import ACTIONS, TEAMS, learner_of_teams
from torch import Tensor

from components.episode_buffer import EpisodeBatch
from configuration import default_config
from envs.matrix_games import ClimbingBatch, PenaltyBatch
from policies.contract import Observed
from reporting.figures import STYLE, pyplot, write
from runners import REGISTRY as RUNNERS
from training.build import build, make_scheme
from training.task import TaskSizes
from utils.logging import Logger
from utils.seeding import seed_everything

if TYPE_CHECKING:
    from matplotlib.figure import Figure

MOVES = 10_000
ROWS = TEAMS * ACTIONS**2  # every team's outcomes
SETTINGS: dict[str, Any] = {
    "runner": "batched",
    "batch_size_run": ROWS,
    "batch_size": ROWS,
    "buffer_size": ROWS,
    "action_selector": "soft_policies",
    "agent_output_type": "pi_logits",
    "agent": "teams",
    "share_parameters": False,
    "obs_last_action": False,
    "obs_agent_id": False,
    "critic_type": "teams_central",
    "critic_hidden_dim": 64,
    "optimizer": "adam",
    "optimizer_epsilon": 1e-5 / TEAMS,
    "lr": 0.0005,
    "epochs": 15,
    "entropy_coef": 0.01,
    "grad_norm_clip": 1e9,
    "learner_log_interval": 10**9,
    "device": "cpu",
    "use_cuda": False,
}
GAMES = {"climbing": ClimbingBatch, "penalty": PenaltyBatch}
HEARING = {"agent": "teams_hearing", "mac": "ordered_mac"}
PROJECTED = {**HEARING, "told_through": "projection"}
BEHAVIOUR = {"learner": "kmappo_learner", "kmappo_ref": "behaviour"}
BPPO = {"learner": "bppo_learner", "turn_order": "reverse", "others_clip": 0.1}
# Another learner is another line, whatever its policy: {"learner": "its_learner", ...}.
LEARNERS: dict[str, dict[str, Any]] = {
    "mappo": {"learner": "mappo_learner"},
    "ippo": {"learner": "ippo_learner", "critic_type": "teams_local"},
    "k2-outside": {"learner": "kmappo_learner", "kmappo_ratio": "outside"},
    "k2-joint": {"learner": "kmappo_learner", "kmappo_ratio": "joint"},
    "k2-coppo": {"learner": "kmappo_learner", "kmappo_ratio": "coppo"},
    "k3-outside": {"learner": "kmappo_learner", "k_level": 3},
    "k2-outside-behaviour": {**BEHAVIOUR},
    "k2-joint-behaviour": {**BEHAVIOUR, "kmappo_ratio": "joint"},
    "k2-coppo-behaviour": {**BEHAVIOUR, "kmappo_ratio": "coppo"},
    "coppo": {**BEHAVIOUR, "kmappo_ratio": "coppo", "k_level": 1},
    "happo": {"learner": "happo_learner"},
    "hatrpo": {"learner": "hatrpo_learner"},
    "a2po": {"learner": "a2po_learner", "others_clip": 0.1, "turn_order": "cyclic"},
    "armappo": {"learner": "mappo_learner", **HEARING},
    "armappo_proj": {"learner": "mappo_learner", **PROJECTED},
    "happo_proj": {"learner": "happo_learner", **PROJECTED, "turn_order": "reverse"},
    "bppo": {**BPPO, **PROJECTED},
    "bppo-no-feedback": {**BPPO, **PROJECTED, "bppo_feedback": 0.0},
    "bppo-head": {**BPPO, **HEARING},
    "karmappo": {"learner": "kmappo_learner", **HEARING},
    "karmappo_proj": {"learner": "kmappo_learner", **PROJECTED},
}


class Ends(NamedTuple):
    """What became of the teams in a game."""

    rewards: list[float]  # of each team's greedy joint action
    joint: Tensor  # the mean probability of each outcome (A, A)
    payoff: Tensor  # (A, A)


def outcomes(game: str, name: str, seed: int, updates: int) -> list[float]:
    """The reward of each team's greedy joint action after training."""
    return trained(game, name, seed, updates).rewards


def trained(game: str, name: str, seed: int, updates: int) -> Ends:
    """Twenty teams after `updates` rounds."""
    args = SimpleNamespace(
        **{**default_config(), **SETTINGS, **LEARNERS[name], "env": game, "seed": seed}
    )
    args.learner = learner_of_teams(args.learner)
    seed_everything(seed)
    logger = Logger(logging.getLogger("quiet"))
    runner = RUNNERS[args.runner](args=args, logger=logger)
    learner = build(args, logger, runner).learner
    payoff = torch.from_numpy(GAMES[game](1).payoff)
    batch = every_outcome(args, payoff)
    for update in range(updates):
        drawn = torch.distributions.Multinomial(MOVES, joint_policies(learner, batch)).sample()
        # The mask of steps is a product of both slots.
        batch.update({"filled": drawn.reshape(ROWS, 1, 1)}, ts=0)
        learner.train(batch, update, 0)
    greedy = greedy_actions(learner, batch)  # (TEAMS, N)
    joint = joint_policies(learner, batch).mean(0).reshape(ACTIONS, ACTIONS)
    return Ends(payoff[greedy[:, 0], greedy[:, 1]].tolist(), joint, payoff)


def every_outcome(args: SimpleNamespace, payoff: Tensor) -> EpisodeBatch:
    """One episode of one move for each of a team's outcomes, team by team."""
    scheme, groups, preprocess = make_scheme(TaskSizes.of(args))
    batch = EpisodeBatch(scheme, groups, ROWS, 2, preprocess=preprocess)
    for key in ("state", "obs", "avail_actions", "filled"):
        batch[key].fill_(1)
    team = torch.arange(TEAMS).repeat_interleave(ACTIONS**2).reshape(-1, 1)
    batch["state"][..., -1], batch["obs"][..., -1] = team, team.unsqueeze(2)
    cells = torch.cartesian_prod(torch.arange(ACTIONS), torch.arange(ACTIONS)).repeat(TEAMS, 1)
    reward = payoff[cells[:, 0], cells[:, 1]]
    batch.update({"actions": cells[:, None, :, None]}, ts=0, mark_filled=False)
    batch.update({"reward": reward[:, None, None]}, ts=0, mark_filled=False)
    batch["terminated"][:, 0] = 1
    return batch


@torch.no_grad()
def joint_policies(learner: Any, batch: EpisodeBatch) -> Tensor:
    """The probability of every outcome. (TEAMS, outcomes)"""
    policy, avail, actions = learner.policy, batch["avail_actions"][:, :1], batch["actions"][:, :1]
    log_probs, _ = policy.evaluate(policy.whole(batch, 1), avail, actions)  # (ROWS, 1, N)
    return log_probs.sum(dim=2).exp().reshape(TEAMS, -1)


@torch.no_grad()
def greedy_actions(learner: Any, batch: EpisodeBatch) -> Tensor:
    """(TEAMS, N)"""
    policy = learner.policy
    memory = policy.blank_memory(ROWS)
    stored, _ = policy.act(Observed.of(batch, 0), memory, t_env=0, testing=True)
    return stored[:: ACTIONS**2, :, 0]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="*", help=f"of {', '.join(LEARNERS)}; default all")
    parser.add_argument("--updates", type=int, default=100)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--figure", type=Path, help="also draw the joint policies into this file")
    options = parser.parse_args()
    torch.set_num_threads(1)
    sys.stdout.write("| learner | climbing | penalty | CPU seconds |\n|---|---|---|---|\n")
    ends: dict[tuple[str, str], Ends] = {}
    for name in options.names or LEARNERS:
        began, cells = time.process_time(), []
        for game in GAMES:
            ends[name, game] = trained(game, name, options.seed, options.updates)
            counts = collections.Counter(ends[name, game].rewards)
            cells.append(", ".join(f"{value:g}: {n}" for value, n in counts.most_common()))
        seconds = time.process_time() - began
        sys.stdout.write(f"| {name} | {cells[0]} | {cells[1]} | {seconds:.0f} |\n")
        sys.stdout.flush()
    if options.figure:
        write(joint_policy_maps(ends), options.figure)


def joint_policy_maps(ends: dict[tuple[str, str], Ends]) -> Figure:
    """A map for each learner and game: payoffs, coloured by how probable they have become."""
    plt = pyplot()
    names = list(dict.fromkeys(name for name, _ in ends))
    size = (2.2 * len(names), 2.2 * len(GAMES))
    with plt.rc_context({**STYLE, "axes.grid": False}):
        figure, axes = plt.subplots(
            len(GAMES), len(names), figsize=size, squeeze=False, layout="constrained"
        )
        for (name, game), found in ends.items():
            panel = axes[list(GAMES).index(game), names.index(name)]
            image = panel.imshow(found.joint, vmin=0, vmax=1, cmap="Blues")
            for (row, column), reward in np.ndenumerate(found.payoff.numpy()):
                light = found.joint[row, column] > 0.5
                panel.text(column, row, f"{reward:g}", ha="center", va="center",
                           color="white" if light else "black")  # fmt: skip
            panel.set(title=f"{name}: {game}", xticks=range(ACTIONS), yticks=range(ACTIONS))
            panel.set(xlabel="agent 1", ylabel="agent 0")
        figure.colorbar(image, ax=axes, label="probability, mean of 20 teams", shrink=0.7)
    return figure


if __name__ == "__main__":
    main()
