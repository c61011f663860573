"""Many teams that learn in one batch, each with networks, moves and a normalisation of its own.

Used by `matrix_games.py`. Rows of a batch are outcomes of a game, team by team; the last number
that is seen says whose they are.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from types import SimpleNamespace
from typing import Any

import torch
from torch import Tensor, nn
from torch.func import stack_module_state, vmap

from components.experience import Experience
from components.standarize_stream import RunningMeanStd
from learners import REGISTRY as LEARNER_CLASSES
from learners.round import Rewards, Round
from learners.trust_region import TrustRegion, TrustStep
from modules.agents import REGISTRY as AGENTS
from modules.agents.conditioned import conditioned
from modules.agents.mlp_agent import MLPAgent
from modules.critics import REGISTRY as CRITICS
from modules.critics.per_agent import SharedMLP
from modules.critics.values import CentralCritic, LocalCritic
from utils.value_norm import ValueNorm

Base: Any = object  # mixins speak of what the class they are mixed into has

TEAMS, ACTIONS = 20, 3


class Networks(nn.Module):
    """One network for each team, asked for a single row."""

    def __init__(self, make: Callable[[], nn.Module]) -> None:
        super().__init__()
        networks = [make() for _ in range(TEAMS)]
        stacked, _ = stack_module_state(networks)
        self.stacked = nn.ParameterList(stacked.values())
        one = networks[0]
        self._one = [one]  # in a list, so that it is no part of ours
        self._places = [place_of(one, name) for name in stacked]

    def ask(self, *row: Any) -> Any:
        """What every team's network says of a row for all, or one for each: (teams, ...)."""
        by_team = [0 if each_has_its_own(part) else None for part in row]
        weights = tuple(self.stacked)
        in_dims = (*[0] * len(weights), *by_team)
        return vmap(self._of_team, in_dims=in_dims)(*weights, *row)

    def _of_team(self, *given: Any) -> Any:
        """Weights, then a row. `functional_call` would take as long as all else together."""
        weights, row = given[: len(self._places)], given[len(self._places) :]
        for (module, name), weight in zip(self._places, weights, strict=True):
            module.__dict__[name] = weight
        try:
            return self._one[0](*row)
        finally:
            for module, name in self._places:
                del module.__dict__[name]


def place_of(network: nn.Module, name: str) -> tuple[nn.Module, str]:
    """Where the parameter `name` was, which is taken out to be given with every row."""
    path, _, last = name.rpartition(".")
    module = network.get_submodule(path)
    del module._parameters[last]
    return module, last


def each_has_its_own(part: Any) -> bool:
    """Whether teams are asked for rows that differ: all their outcomes (teams, cells, N, A)."""
    return isinstance(part, Tensor) and part.ndim == 4


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


class HearingAgent(nn.Module):
    """One agent that hears others: its own network, and what tells it."""

    def __init__(self, input_shape: int, args: SimpleNamespace) -> None:
        super().__init__()
        anybody, own = torch.ones(args.n_agents, args.n_agents), MLPAgent(input_shape, args)
        self.net = conditioned(own, ACTIONS, args.n_actions, anybody, args)

    def forward(self, own: Tensor, actions: Tensor, listens: Tensor, place: slice) -> Tensor:
        """own (cells, F), actions (cells, N, A), listens (1, N) -> (cells, A)"""
        features, _ = self.net(own, own)
        return self.net.tellers[0](features.unsqueeze(1), actions, listens, place).squeeze(1)


class TeamsHearing(nn.Module):
    """One network for each agent of each team, asked for all outcomes of a move.

    All that agents see is whose they are, so this is what their features are.
    """

    hears, recurrent = True, False

    def __init__(self, input_shape: int, args: SimpleNamespace) -> None:
        super().__init__()
        self.agents: Any = nn.ModuleList(
            [Networks(lambda: HearingAgent(input_shape, args)) for _ in range(args.n_agents)]
        )
        self._inputs = input_shape

    def init_hidden(self) -> Tensor:
        return self.agents[0].stacked[0].new_zeros(1, 1)

    def forward(self, inputs: Tensor, hidden_state: Tensor | None) -> tuple[Tensor, Tensor]:
        """inputs (..., F) -> (..., 1), twice"""
        return inputs[..., -1:], inputs[..., -1:]

    def unroll(self, inputs: Tensor, start: Any = None, running: Any = None) -> Any:
        return self(inputs, None)

    def decode(self, features: Tensor, actions: Tensor, listens: Tensor) -> Tensor:
        """features (..., N, 1), actions (..., N, A), listens (N, N) -> (..., N, A)"""
        agents = range(len(self.agents))
        return torch.cat([self.decode_alone(i, features, actions, listens) for i in agents], dim=-2)

    def decode_alone(
        self, agent: int, features: Tensor, actions: Tensor, listens: Tensor
    ) -> Tensor:
        """One agent of every team is asked for its outputs in every outcome. (..., 1, A)"""
        row, column = actions.argmax(dim=-1).unbind(dim=-1)
        where = team_of(features[..., 0, :]), row * ACTIONS + column
        cells = torch.cartesian_prod(*[torch.arange(ACTIONS)] * 2)  # (outcomes, N)
        heard, place = nn.functional.one_hot(cells, ACTIONS).float(), slice(agent, agent + 1)
        if actions.requires_grad:  # the same numbers, by which can be differentiated
            heard = heard.repeat(TEAMS, 1, 1, 1).index_put(where, actions)
        own = torch.ones(len(cells), self._inputs)
        outputs = self.agents[agent].ask(own, heard, listens[place], place)  # (teams, outcomes, A)
        return outputs[where].unsqueeze(-2)

    def network_of(self, agent: int) -> nn.Module:
        """By which it encodes: none has weights for that."""
        return self

    def parameters_of(self, agent: int) -> list[nn.Parameter]:
        return list(self.agents[agent].parameters())


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


class TeamsRegion(TrustRegion):
    """A step for each team. Parameters are (TEAMS, ...), vectors (TEAMS, P), values (TEAMS, 1)."""

    def gradient(self, value: Tensor) -> Tensor:
        slopes = torch.autograd.grad(
            value.sum(), self.params, allow_unused=True, materialize_grads=True
        )
        return torch.cat([slope.flatten(1) for slope in slopes], dim=1)

    def parts(self, vector: Tensor) -> Sequence[Tensor]:
        return vector.split([param[0].numel() for param in self.params], dim=1)

    @staticmethod
    def inner(a: Tensor, b: Tensor) -> Tensor:
        return (a * b).sum(dim=1, keepdim=True)

    @torch.no_grad()
    def search(self, longest: Tensor, before: Tensor, gradient: Tensor) -> TrustStep:
        """Each team's first acceptable length, or 0; teams that have one keep it.

        What is said of the step is the mean of all teams.
        """
        limits, promised = self.limits, self.inner(longest, gradient)
        length = torch.zeros_like(before)
        for attempt in range(limits.tries):
            length = torch.where(length > 0, length, limits.shrink**attempt)
            gain, divergence, will_do = self.tried(length * longest, before, length * promised)
            length = torch.where(will_do, length, 0.0)
            if bool(will_do.all()):
                break
        self.put(length * longest)
        moved = length > 0
        means = [each.mean() for each in (gain * moved, divergence * moved, length)]
        return TrustStep(*means, gradient.norm())


class EveryOutcome(Experience):
    """Also those that did not come up: rows stay in the order of teams."""

    def without_padding(self) -> Experience:
        return self

    def packed(self, *how: object) -> Experience:
        return self


class Teams(Base):  # named before the learner among a class's bases
    """A learner whose teams have nothing to do with each other.

    Its batches hold every outcome once, and what is filled there says how often it came up.
    """

    stateful = ()  # `norm` is declared already
    region = TeamsRegion

    def __init__(self, *given: Any) -> None:
        super().__init__(*given)
        self.norm = TeamsNorm()

    @staticmethod
    def mean(values: Tensor, mask: Tensor) -> Tensor:
        """Each team's (TEAMS, 1)."""
        return moments(values, mask)[0].unsqueeze(1)

    def in_rows(self, episodes: Round) -> Experience:
        return EveryOutcome(*super().in_rows(episodes))

    def returns(self, rewards: Rewards, *ahead: Any) -> Tensor:
        """A move is a step, however often it came up."""
        mask = (rewards.mask > 0).to(rewards.mask)
        return super().returns(rewards._replace(mask=mask), *ahead)

    def advantages(self, episodes: Round) -> Tensor:
        """Of mean 0 and variance 1 in each team."""
        advantages = episodes.returns - episodes.values
        mean, variance = moments(advantages, episodes.deciding)
        return in_rows((by_team(advantages) - mean) / (variance.sqrt() + 1e-8))


def learner_of_teams(name: str) -> str:
    """The name under which the learner `name` serves many teams, as it does from now on."""
    of_teams = f"teams_{name}"
    if of_teams not in LEARNER_CLASSES:
        LEARNER_CLASSES[of_teams] = type(of_teams, (Teams, LEARNER_CLASSES[name]), {})
    return of_teams


AGENTS.update(teams=TeamsAgent, teams_hearing=TeamsHearing)
CRITICS.update(teams_central=TeamsCentral, teams_local=TeamsLocal)
