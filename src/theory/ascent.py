"""Gradient ascent on exact payoffs, by the same levels that train networks."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from types import SimpleNamespace

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from learners.klevel_sweep import Sweeps
from learners.objective import Drawing, joint_of
from theory.games import Payoff

MakeOptimiser = Callable[[Iterable[nn.Parameter]], Optimizer]


def sgd(rate: float, momentum: float = 0.0) -> MakeOptimiser:
    return lambda params: torch.optim.SGD(params, lr=rate, momentum=momentum)


class Players(nn.Module):
    """Where a network would be: parameters that are the policy themselves, agent by agent."""

    def __init__(self, theta: Tensor) -> None:
        """theta (B, N, D)"""
        super().__init__()
        alone = theta.clone().unsqueeze(1).split(1, dim=2)
        self.thetas = nn.ParameterList([nn.Parameter(own.contiguous()) for own in alone])

    @property
    def theta(self) -> Tensor:
        """(B, 1, N, D)"""
        return torch.cat(list(self.thetas), dim=2)


class Exact:
    """The objective of `klevel` for exact payoffs, summed over games and agents."""

    def __init__(self, payoff: Payoff, own: Tensor) -> None:
        self.own, self._payoff = own, payoff

    def base(self) -> Tensor:
        return self.against(self.own.detach())

    def against(self, others: Tensor) -> Tensor:
        return -self._payoff(joint_of(self.own, others).squeeze(1)).sum()

    def in_turn(self, agent: int, others: Tensor) -> Tensor:
        return -self._payoff(joint_of(self.own, others).squeeze(1))[:, agent].sum()

    def diagnostics(self, others: Tensor | None) -> dict[str, Tensor]:
        return {}


def parameters_of(players: Players, how: Drawing) -> Tensor:
    """What the others do is what their parameters are; nothing is drawn."""
    return players.theta.detach().clone()


def parameters_alone(players: Players, how: Drawing, agent: int) -> Tensor:
    return players.thetas[agent].detach().clone()


class Ascent:
    """B independent games, updated together."""

    def __init__(
        self,
        payoff: Payoff,
        theta: Tensor,
        make_optimiser: MakeOptimiser,
        k_level: int,
        k_opt_state: str = "rollback",
        in_turns: Sequence[int] = (),
        scale: float = 1.0,
    ) -> None:
        """theta (B, N, D) is where the players start; `in_turns` is who moves, one by one; others
        are expected to take `scale` times a step, below 0 in the wrong direction."""
        self._payoff, self._in_turns = payoff, in_turns
        self._players = Players(theta)
        settings = SimpleNamespace(
            k_level=k_level,
            k_opt_state=k_opt_state,
            k_lookahead_scale=scale,
            k_clip_each_level=False,
            k_keep_norm=False,
            grad_norm_clip=float("inf"),
        )
        optimiser = make_optimiser(self._players.parameters())
        self._levels = Sweeps(self._players, optimiser, make_optimiser, settings)

    def step(self) -> Tensor:
        """One update; returns theta(K), (B, N, D)."""
        objective = Exact(self._payoff, self._players.theta)
        if self._in_turns:
            order = [(i, [self._players.thetas[i]]) for i in self._in_turns]
            self._levels.step_in_turns(objective, parameters_alone, order, t_env=0)
        else:
            self._levels.step(objective, parameters_of, t_env=0)
        return self.theta

    @property
    def theta(self) -> Tensor:
        return self._players.theta.detach().squeeze(1).clone()


def one_update(
    payoff: Payoff, theta: Tensor, rate: float, k_level: int, in_turns: Sequence[int] = ()
) -> Tensor:
    """theta(k) after one update by plain ascent. (N, D)"""
    return Ascent(payoff, theta.unsqueeze(0), sgd(rate), k_level, in_turns=in_turns).step()[0]
