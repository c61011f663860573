"""FACMAC: a centralised critic, factored into one utility for each agent (Peng et al. 2021)."""

from __future__ import annotations

from types import SimpleNamespace

import torch
from torch import Tensor

from components.minibatch import At, Minibatch
from components.scheme import Scheme
from controllers.contract import MAC
from learners.actor_critic import ActorCriticLearner
from learners.objective import CriticObjective, by_agent
from modules.contract import Mixer, Mixing
from modules.critics.facmac import FACMACCritic
from pymarl.critics import critic_of
from utils.logging import Logger


class FACMACLearner(ActorCriticLearner):
    """Q_tot(s, a) = f(s; Q_1(o_1, a_1) .. Q_N(o_N, a_N)); the actors ascend Q_tot together.

    No mixer makes this independent DDPG: each agent ascends its own utility.
    """

    needs = ActorCriticLearner.needs.also(uses={"mixer"})
    critic: FACMACCritic
    target_critic: FACMACCritic

    def __init__(self, mac: MAC, scheme: Scheme, logger: Logger, args: SimpleNamespace) -> None:
        super().__init__(mac, scheme, logger, args)
        self.utilities, self.target_utilities = map(critic_of, (self.critic, self.target_critic))

    def build_critic(self, scheme: Scheme, args: SimpleNamespace) -> FACMACCritic:
        return FACMACCritic(scheme, args)

    def value(self, at: At, actions: Tensor) -> Tensor:
        return mixed(self.mixing, self.utilities(at.obs, actions)[0], at)

    def target_value(self, at: At, actions: Tensor) -> Tensor:
        return mixed(self.target_mixing, self.target_utilities(at.obs, actions)[0], at)

    def objective(self, minibatch: Minibatch, own: Tensor) -> CriticObjective:
        return FactoredObjective(self, minibatch, own)


def mixed(mixer: Mixer | None, utilities: Tensor, at: At) -> Tensor:
    """Utilities (1, n, N, 1) -> (1, n, 1), or without a mixer (1, n, N)."""
    utilities = utilities.squeeze(-1)
    return utilities if mixer is None else mixer(utilities, at.state)


class FactoredObjective(CriticObjective):
    """J_i = Q_tot where agent i's utility is of its own action and the rest of the others'.

    Only utilities change between levels, and the critic sees each action once.
    """

    def __init__(self, learner: FACMACLearner, minibatch: Minibatch, own: Tensor) -> None:
        super().__init__(own, own.detach(), minibatch, learner.head, learner.args)
        now, mixer = minibatch.now, learner.mixing
        with torch.no_grad():  # what depends on states and observations alone, once for all levels
            self._mixing: Mixing | None = None if mixer is None else mixer.at(now.state)
            self._utilities_of = learner.utilities.at(now.obs)
        self._utilities = by_agent(self._utilities_of, own)  # (1, n, N)

    def base(self) -> Tensor:
        if self._mixing is None:
            return self.loss_of(self._utilities)
        return self.loss_of(self._mixing(self._utilities))

    def against(self, others: Tensor) -> Tensor:
        if self._mixing is None:
            return self.base()
        with torch.no_grad():
            utilities = self._utilities_of(others)  # (1, n, N)
        return self.loss_of(self._mixing.one_by_one(self._utilities, utilities))

    def diagnostics(self, others: Tensor | None) -> dict[str, Tensor]:
        """Also the share of the mixer's hidden units with negative inputs.

        ELU is linear at positive ones, so only there do others change the gradient of one's own.
        """
        found = super().diagnostics(others)
        before_activation = getattr(self._mixing, "before_activation", None)
        if before_activation is None:
            return found
        with torch.no_grad():
            units = before_activation(self._utilities)  # (n, 1, E)
        share = (units < 0).float().mean(dim=2).reshape(*self._utilities.shape[:2], 1)
        return {**found, "negative_units": self.mean(share)}
