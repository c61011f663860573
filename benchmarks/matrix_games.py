"""Where on-policy learners end on the Climbing and Penalty games: a table of greedy outcomes.

    python benchmarks/matrix_games.py [--updates 100] [--seed 0] [names ...]

Settings of the BPPO paper: independent actors of 64 units, Adam 0.0005, 15 epochs, entropy 0.01,
100 updates of 10000 moves. Each move is a game of its own.

A game has nine outcomes, so nothing is played: how often each outcome comes up is drawn from the
policies at once, and it is learned from as one move with that number as its weight in all means.
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
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")
sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "src"))

import torch
from torch import Tensor, nn
from torch.func import functional_call, stack_module_state, vmap

from components.episode_buffer import EpisodeBatch
from components.standarize_stream import RunningMeanStd
from configuration import default_config
from envs.matrix_games import ClimbingBatch, PenaltyBatch
from learners import REGISTRY as LEARNER_CLASSES
from learners.kmappo_learner import KMAPPOLearner
from learners.mappo_learner import IPPOLearner, MAPPOLearner
from modules.agents import REGISTRY as AGENTS
from modules.agents.mlp_agent import MLPAgent
from modules.critics import REGISTRY as CRITICS
from modules.critics.per_agent import SharedMLP
from modules.critics.values import CentralCritic, LocalCritic
from runners import REGISTRY as RUNNERS
from training.build import build, make_scheme
from training.task import TaskSizes
from utils.logging import Logger
from utils.seeding import seed_everything
from utils.value_norm import ValueNorm

Base: Any = object  # mixins speak of what the class they are mixed into has

TEAMS, MOVES, ACTIONS = 20, 10_000, 3
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
LEARNERS: dict[str, dict[str, Any]] = {
    "mappo": {"learner": "teams_mappo"},
    "ippo": {"learner": "teams_ippo", "critic_type": "teams_local"},
    "k2-outside": {"learner": "teams_kmappo", "kmappo_ratio": "outside"},
    "k2-joint": {"learner": "teams_kmappo", "kmappo_ratio": "joint"},
    "k2-coppo": {"learner": "teams_kmappo", "kmappo_ratio": "coppo"},
    "k3-outside": {"learner": "teams_kmappo", "k_level": 3},
    "k2-outside-behaviour": {"learner": "teams_kmappo", "kmappo_ref": "behaviour"},
    "k2-joint-behaviour": {
        "learner": "teams_kmappo",
        "kmappo_ref": "behaviour",
        "kmappo_ratio": "joint",
    },
    "k2-coppo-behaviour": {
        "learner": "teams_kmappo",
        "kmappo_ref": "behaviour",
        "kmappo_ratio": "coppo",
    },
}


# ---------------------------------------------------------------- many teams in one batch


class Networks(nn.Module):
    """One network for each team, asked for a single row."""

    def __init__(self, make: Callable[[], nn.Module]) -> None:
        super().__init__()
        networks = [make() for _ in range(TEAMS)]
        self._names = [name for name, _ in networks[0].named_parameters()]
        stacked, _ = stack_module_state(networks)
        self.stacked = nn.ParameterList([stacked[name] for name in self._names])
        self._one = [networks[0]]  # in a list, so that its parameters are not ours

    def ask(self, *row: Any) -> Any:
        """What every team's network says: (teams, ...)."""
        weights = dict(zip(self._names, self.stacked, strict=True))
        return vmap(lambda of_team: functional_call(self._one[0], of_team, row))(weights)


def team_of(inputs: Tensor) -> Tensor:
    """What is seen is the same in all moves, but for a last number that says whose they are."""
    return inputs[..., -1].long()


class TeamsAgent(Networks):
    recurrent = False

    def __init__(self, input_shape: int, args: SimpleNamespace) -> None:
        super().__init__(lambda: MLPAgent(input_shape, args))
        self._width = args.rnn_hidden_dim

    def init_hidden(self) -> Tensor:
        return self.stacked[0].new_zeros(1, self._width)

    def forward(self, inputs: Tensor, hidden_state: Tensor | None) -> tuple[Tensor, Tensor]:
        """inputs (..., F) -> (..., A), (..., H)"""
        outputs, last = self.ask(inputs.new_ones(inputs.shape[-1]), None)
        team = team_of(inputs)
        return outputs[team], last[team]

    def unroll(self, inputs: Tensor, start: Any = None, running: Any = None) -> Any:
        """inputs (B, T, 1, F) -> (B, T, 1, A), (B, T, 1, H)"""
        return self(inputs, None)


class TeamsMLP(Networks):
    def __init__(self, n_inputs: int, width: int, n_outputs: int, n_agents: int) -> None:
        super().__init__(lambda: SharedMLP(n_inputs, width, n_outputs, n_agents))

    def forward(self, inputs: Tensor) -> Tensor:
        """inputs (..., 1 or N, F) -> (..., N, outputs)"""
        return self.ask(inputs.new_ones(1, inputs.shape[-1]))[team_of(inputs[..., 0, :])]


class TeamsCentral(CentralCritic):
    networks = TeamsMLP


class TeamsLocal(LocalCritic):
    networks = TeamsMLP


def by_team(values: Tensor) -> Tensor:
    """(ROWS, ...) -> (outcomes, ..., TEAMS)"""
    return values.unflatten(0, (TEAMS, -1)).movedim(0, -1)


def in_rows(values: Tensor) -> Tensor:
    """The inverse."""
    return values.movedim(-1, 0).flatten(0, 1)


def moments(values: Tensor, weights: Tensor) -> tuple[Tensor, Tensor]:
    """Each team's mean and variance of `values` (ROWS, ...)."""
    teams, weights = by_team(values).flatten(0, -2), by_team(weights).flatten(0, -2)
    weights = weights / weights.sum(0)
    mean = (weights * teams).sum(0)
    return mean, (weights * (teams - mean).square()).sum(0)


class TeamsNorm(ValueNorm):
    """Mean and variance of each team's returns."""

    def __init__(self) -> None:
        super().__init__()
        self.returns = RunningMeanStd(shape=(TEAMS,))

    def update(self, returns: Tensor, mask: Tensor) -> None:
        count = int(mask.sum()) // TEAMS
        self.returns.update_from_moments(*moments(returns, mask), count)

    def normalise(self, returns: Tensor) -> Tensor:
        return in_rows(super().normalise(by_team(returns)))

    def restore(self, normalised: Tensor) -> Tensor:
        return in_rows(super().restore(by_team(normalised)))


class Teams(Base):  # named before the learner among a class's bases
    """A learner whose teams have nothing to do with each other.

    Its batches hold every outcome once, and what is filled there says how often it came up.
    """

    stateful = ()  # `norm` is declared already

    def __init__(self, *given: Any) -> None:
        super().__init__(*given)
        self.norm = TeamsNorm()

    def returns(self, batch: EpisodeBatch, mask: Tensor, *values: Tensor) -> Tensor:
        return super().returns(batch, (mask > 0).to(mask), *values)

    def scaled(self, advantages: Tensor, mask: Tensor) -> Tensor:
        mean, variance = moments(advantages, mask)
        return in_rows((by_team(advantages) - mean) / (variance.sqrt() + 1e-8))


class TeamsMAPPO(Teams, MAPPOLearner):
    pass


class TeamsIPPO(Teams, IPPOLearner):
    pass


class TeamsKMAPPO(Teams, KMAPPOLearner):
    pass


AGENTS["teams"] = TeamsAgent
CRITICS.update(teams_central=TeamsCentral, teams_local=TeamsLocal)
LEARNER_CLASSES.update(teams_mappo=TeamsMAPPO, teams_ippo=TeamsIPPO, teams_kmappo=TeamsKMAPPO)


# ---------------------------------------------------------------- the table


def outcomes(game: str, name: str, seed: int, updates: int) -> list[float]:
    """The reward of each team's greedy joint action after training."""
    args = SimpleNamespace(
        **{**default_config(), **SETTINGS, **LEARNERS[name], "env": game, "seed": seed}
    )
    seed_everything(seed)
    logger = Logger(logging.getLogger("quiet"))
    runner = RUNNERS[args.runner](args=args, logger=logger)
    learner = build(args, logger, runner).learner
    batch = every_outcome(args, GAMES[game](1).payoff)
    for update in range(updates):
        policy = policies_of(learner, batch)  # (TEAMS, N, A)
        joint = policy[:, 0, :, None] * policy[:, 1, None, :]  # (TEAMS, A, A)
        drawn = torch.distributions.Multinomial(MOVES, joint.flatten(1)).sample()
        # The mask of steps is a product of both slots.
        batch.update({"filled": drawn.reshape(ROWS, 1, 1)}, ts=0)
        learner.train(batch, update, 0)
    greedy = policies_of(learner, batch).argmax(dim=2)  # (TEAMS, N)
    return (
        batch["reward"]
        .reshape(TEAMS, ACTIONS, ACTIONS, -1)[torch.arange(TEAMS), greedy[:, 0], greedy[:, 1], 0]
        .tolist()
    )


def every_outcome(args: SimpleNamespace, payoff: Any) -> EpisodeBatch:
    """One episode of one move for each of a team's outcomes, team by team."""
    scheme, groups, preprocess = make_scheme(TaskSizes.of(args))
    batch = EpisodeBatch(scheme, groups, ROWS, 2, preprocess=preprocess)
    for key in ("state", "obs", "avail_actions", "filled"):
        batch[key].fill_(1)
    team = torch.arange(TEAMS).repeat_interleave(ACTIONS**2).reshape(-1, 1)
    batch["state"][..., -1], batch["obs"][..., -1] = team, team.unsqueeze(2)
    cells = torch.cartesian_prod(torch.arange(ACTIONS), torch.arange(ACTIONS)).repeat(TEAMS, 1)
    reward = torch.from_numpy(payoff)[cells[:, 0], cells[:, 1]]
    batch.update({"actions": cells[:, None, :, None]}, ts=0, mark_filled=False)
    batch.update({"reward": reward[:, None, None]}, ts=0, mark_filled=False)
    batch["terminated"][:, 0] = 1
    return batch


@torch.no_grad()
def policies_of(learner: Any, batch: EpisodeBatch) -> Tensor:
    """(TEAMS, N, A)"""
    policy = learner.policy
    found = policy.probabilities(policy.whole(batch, 1), batch["avail_actions"][:, :1])
    return found[:: ACTIONS**2, 0]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="*", help=f"of {', '.join(LEARNERS)}; default all")
    parser.add_argument("--updates", type=int, default=100)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    torch.set_num_threads(1)
    sys.stdout.write("| learner | climbing | penalty | CPU seconds |\n|---|---|---|---|\n")
    for name in options.names or LEARNERS:
        began, cells = time.process_time(), []
        for game in GAMES:
            ends = collections.Counter(outcomes(game, name, options.seed, options.updates))
            cells.append(", ".join(f"{value:g}: {n}" for value, n in ends.most_common()))
        seconds = time.process_time() - began
        sys.stdout.write(f"| {name} | {cells[0]} | {cells[1]} | {seconds:.0f} |\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
