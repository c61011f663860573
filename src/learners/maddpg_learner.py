"""MADDPG: a centralised critic of the joint action (Lowe et al. 2017)."""

from __future__ import annotations

from types import SimpleNamespace

from torch import Tensor

from components.minibatch import At, Minibatch
from components.scheme import Scheme
from controllers.contract import MAC
from learners.actor_critic import ActorCriticLearner
from learners.objective import CriticObjective, by_agent
from modules.critics.maddpg import MADDPGCritic
from pymarl.mixers import without_mixer
from utils.logging import Logger


class MADDPGLearner(ActorCriticLearner):
    """Each agent ascends Q(s, a_1 .. a_N) in its own action, the others' being constants.

    By `k_maddpg_level0` these are actions of the agents' present policies, or of the replay.
    """

    needs = ActorCriticLearner.needs.also(uses={"k_maddpg_level0"})
    critic: MADDPGCritic
    target_critic: MADDPGCritic

    def __init__(self, mac: MAC, scheme: Scheme, logger: Logger, args: SimpleNamespace) -> None:
        super().__init__(mac, scheme, logger, without_mixer(args))  # the critic is joint already

    def build_critic(self, scheme: Scheme, args: SimpleNamespace) -> MADDPGCritic:
        return MADDPGCritic(scheme, args)

    def value(self, at: At, actions: Tensor) -> Tensor:
        return self.critic(at.state, actions)[0]  # (1, n, 1)

    def target_value(self, at: At, actions: Tensor) -> Tensor:
        return self.target_critic(at.state, actions)[0]  # (1, n, 1)

    def objective(self, minibatch: Minibatch, own: Tensor) -> CriticObjective:
        if self.args.k_maddpg_level0 == "policy":
            return JointObjective(self, minibatch, own, None)
        return JointObjective(self, minibatch, own, self.head.vector(minibatch.actions))


class JointObjective(CriticObjective):
    """J_i = Q(s, own_i, others_-i). The mean over agents, as FACMAC's MADDPG takes it.

    At level 1 the others' actions are those of `own`, one joint action, whose gradient has all
    agents'; or, if they are given, the `stored` ones.
    """

    def __init__(
        self, learner: MADDPGLearner, minibatch: Minibatch, own: Tensor, stored: Tensor | None
    ) -> None:
        level0 = own.detach() if stored is None else stored
        super().__init__(own, level0, minibatch, learner.head, learner.args)
        self._critic, self._stored = learner.critic, stored
        self._states = minibatch.now.state

    def reward_entropy(self, entropy: Tensor) -> None:
        super().reward_entropy(entropy / entropy.shape[2])

    def base(self) -> Tensor:
        if self._stored is not None:
            return self.against(self._stored)
        return self._mean_loss(by_agent(self._value_of, self.own))

    def against(self, others: Tensor) -> Tensor:
        return self._mean_loss(self._critic.counterfactual(self._states, self.own, others))

    def _value_of(self, joint: Tensor) -> Tensor:
        """(1, n, N, A) -> (1, n, 1)"""
        return self._critic(self._states, joint)[0]

    def _mean_loss(self, values: Tensor) -> Tensor:
        """values (1, n, N)"""
        return self.loss_of(values / values.shape[2])
