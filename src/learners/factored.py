"""FACMAC: a centralised critic, factored into one utility for each agent (Peng et al. 2021)."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any, Protocol

import torch
from torch import Tensor, nn

from components.steps import Situation, Steps
from learners.actor_critic import ActorCriticLearner, PolicyObjective
from learners.klevel import joint_of
from learners.slopes import by_agent
from modules.critics.facmac import FACMACCritic
from utils.overrides import speaks_for

Judge = Callable[[Tensor], Tensor]  # (B, T, N, A) -> (B, T, N)


class Mixing(Protocol):
    """A mixer at prepared states."""

    def __call__(self, qs: Tensor) -> Tensor:
        """The joint value. (B, T, N) -> (B, T, 1)"""

    def one_by_one(self, own: Tensor, others: Tensor) -> Tensor:
        """N joint values; in the i-th agent i has its own and all others `others`. (B, T, N)"""


class FACMACLearner(ActorCriticLearner):
    """Q_tot(s, a) = f(s; Q_1(o_1, a_1) .. Q_N(o_N, a_N)); the actors climb Q_tot together.

    No mixer makes this independent DDPG: each agent climbs its own utility.
    """

    needs = ActorCriticLearner.needs.also(uses={"mixer"})

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
        return FactoredObjective(judge, mixing, own, steps, self.args)


class FactoredObjective(PolicyObjective):
    """J_i = Q_tot where agent i's utility is of its own action and the rest of the others'.

    Only utilities change between levels, and the critic sees each action once.
    """

    def __init__(
        self,
        judge: Judge,
        mixing: Mixing | None,
        own: Tensor,
        steps: Steps,
        args: SimpleNamespace,
    ) -> None:
        super().__init__(own, own.detach(), steps, args)
        self._judge, self._mixing = judge, mixing
        self._utilities = by_agent(judge, own)  # (B, T, N)

    def base(self) -> Tensor:
        if self._mixing is None:
            return self.loss_of(self._utilities)
        return self.loss_of(self._mixing(self._utilities))

    def against(self, others: Tensor) -> Tensor:
        if self._mixing is None:
            return self.base()
        with torch.no_grad():
            utilities = self._judge(others)  # (B, T, N)
        return self.loss_of(self._mixing.one_by_one(self._utilities, utilities))

    def diagnostics(self, others: Tensor | None) -> dict[str, Tensor]:
        """Also the units of the mixer that answer to others at all: those below their kink."""
        found = super().diagnostics(others)
        before_activation = getattr(self._mixing, "before_activation", None)
        if before_activation is None:
            return found
        with torch.no_grad():
            units = before_activation(self._utilities)  # (B*T, 1, E)
        share = (units < 0).float().mean(dim=2).reshape(*self._utilities.shape[:2], 1)
        return {**found, "k/negative_units": self.steps.mean(share)}


def judge_at(critic: Any, obs: Tensor) -> Judge:
    """The utilities of actions where `obs` (B, T, N, O) is seen; FACMAC's critics want rows."""
    if speaks_for(type(critic), "at", "forward"):
        return critic.at(obs)

    def judge(actions: Tensor) -> Tensor:
        """(B, T, N, A) -> (B, T, N)"""
        return critic(obs.flatten(0, 2), actions.flatten(0, 2))[0].reshape(actions.shape[:3])

    return judge


def mixing_at(mixer: Any, states: Tensor) -> Mixing | None:
    """The mixing of joint values at `states` (B, T, S); mixers that know only PyMARL's call too."""
    if mixer is None:
        return None
    if speaks_for(type(mixer), "at", "forward"):
        return mixer.at(states)
    return RepeatedMixing(mixer, states)


class RepeatedMixing:
    """The states, N times: for mixers that know only PyMARL's call."""

    def __init__(self, mixer: Any, states: Tensor) -> None:
        self._mixer, self._states = mixer, states  # (B, T, S)

    def __call__(self, qs: Tensor) -> Tensor:
        return self._mixer(qs, self._states).reshape(*qs.shape[:2], 1)

    def one_by_one(self, own: Tensor, others: Tensor) -> Tensor:
        B, T, N = own.shape
        joint = joint_of(own, others).reshape(B, T * N, N)
        return self._mixer(joint, self._states.repeat_interleave(N, dim=1)).reshape(B, T, N)
