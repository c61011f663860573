"""FACMAC: a centralised critic, factored into one utility for each agent (Peng et al. 2021)."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import torch
from torch import Tensor, nn

from components.steps import Situation, Steps
from learners.actor_critic import ActorCriticLearner
from learners.klevel import joint_of
from modules.critics.facmac import FACMACCritic

Judge = Callable[[Tensor], Tensor]  # (B, T, N, A) -> (B, T, N)
Mixing = Callable[[Tensor], Tensor]  # (B, T, R, N) -> (B, T, R)


class FACMACLearner(ActorCriticLearner):
    """Q_tot(s, a) = f(s; Q_1(o_1, a_1) .. Q_N(o_N, a_N)); the actors climb Q_tot together.

    No mixer makes this independent DDPG: each agent climbs its own utility.
    """

    def build_critic(self, scheme: dict[str, Any], args: SimpleNamespace) -> nn.Module:
        return FACMACCritic(scheme, args)

    def value(self, critic: Any, mixer: Any, seen: Situation, actions: Tensor) -> Tensor:
        utilities = judge_at(critic, seen.obs)(actions)  # (1, n, N)
        if mixer is None:
            return utilities
        return mixer(utilities, seen.state).reshape(*utilities.shape[:2], 1)

    def objective(
        self, seen: Situation, own: Tensor, replayed: Tensor, steps: Steps
    ) -> FactoredObjective:
        with torch.no_grad():  # what depends on the situation alone, once for all levels
            mixing, judge = mixing_at(self.mixer, seen.state), judge_at(self.critic, seen.obs)
        return FactoredObjective(judge, mixing, own, steps, self.action_penalty(own))


class FactoredObjective:
    """J_i = Q_tot where agent i's utility is of its own action and the rest of the others'.

    Only utilities change between levels: N joint values are N rows of the mixing, and the critic
    sees each action once.
    """

    def __init__(
        self,
        judge: Judge,
        mixing: Mixing | None,
        own: Tensor,
        steps: Steps,
        penalty: Tensor | float,
    ) -> None:
        self.own = own  # (B, T, N, A)
        self._judge, self._mixing = judge, mixing
        self._steps, self._penalty = steps, penalty
        self._utilities = judge(own)  # (B, T, N)

    def base(self) -> Tensor:
        if self._mixing is None:
            return self._penalty - self._steps.mean(self._utilities)
        return self._penalty - self._steps.mean(self._mixing(self._utilities.unsqueeze(2)))

    def against(self, others: Tensor) -> Tensor:
        if self._mixing is None:
            return self.base()
        with torch.no_grad():
            utilities = self._judge(others)  # (B, T, N)
        joint = joint_of(self._utilities, utilities)  # (B, T, N, N)
        return self._penalty - self._steps.mean(self._mixing(joint))

    def diagnostics(self) -> dict[str, Tensor]:
        """The units of the mixer that answer to others at all: those below their kink."""
        before_activation = getattr(self._mixing, "before_activation", None)
        if before_activation is None:
            return {}
        with torch.no_grad():
            units = before_activation(self._utilities.unsqueeze(2))  # (B*T, 1, E)
        return {"k/negative_units": self._steps.mean(per_step(units < 0, self._utilities))}


def judge_at(critic: Any, obs: Tensor) -> Judge:
    """The utilities of actions where `obs` (B, T, N, O) is seen; FACMAC's critics want rows."""
    if hasattr(critic, "at"):
        return critic.at(obs)

    def judge(actions: Tensor) -> Tensor:
        """(B, T, N, A) -> (B, T, N)"""
        return critic(obs.flatten(0, 2), actions.flatten(0, 2))[0].reshape(actions.shape[:3])

    return judge


def mixing_at(mixer: Any, states: Tensor) -> Mixing | None:
    """The mixing of joint values at `states` (B, T, S); mixers that know only PyMARL's call too."""
    if mixer is None:
        return None
    if hasattr(mixer, "at"):
        return mixer.at(states)

    def mix(qs: Tensor) -> Tensor:
        """qs (B, T, R, N) -> (B, T, R)"""
        B, T, R, N = qs.shape
        repeated = states.repeat_interleave(R, dim=1)  # (B, T*R, S)
        return mixer(qs.reshape(B, T * R, N), repeated).reshape(B, T, R)

    return mix


def per_step(units: Tensor, like: Tensor) -> Tensor:
    """The share of units that are true at each step. (B*T, 1, E) -> (B, T, 1)"""
    return units.float().mean(dim=2).reshape(*like.shape[:2], 1)
