"""MADDPG: a centralised critic of the joint action (Lowe et al. 2017)."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from torch import Tensor, nn

from components.steps import Situation, Steps
from learners.actor_critic import ActorCriticLearner, PolicyObjective
from learners.base import without_mixer
from learners.slopes import by_agent
from modules.critics.maddpg import MADDPGCritic


class MADDPGLearner(ActorCriticLearner):
    """Each agent climbs Q(s, a_1 .. a_N) in its own action, the others' being constants.

    `k_maddpg_level0` says which constants: of the agents' present policies, or of the replay.
    """

    needs = ActorCriticLearner.needs.also(uses={"k_maddpg_level0"})

    def __init__(self, mac: Any, scheme: Any, logger: Any, args: SimpleNamespace) -> None:
        super().__init__(mac, scheme, logger, without_mixer(args))  # the critic is joint already

    def build_critic(self, scheme: dict[str, Any], args: SimpleNamespace) -> nn.Module:
        return MADDPGCritic(scheme, args)

    def value(self, critic: Any, mixer: Any, seen: Situation, actions: Tensor) -> Tensor:
        return critic(seen.state, actions)[0]  # (1, n, 1)

    def objective(
        self, seen: Situation, own: Tensor, replayed: Tensor, steps: Steps
    ) -> JointObjective:
        level0 = replayed if self.args.k_maddpg_level0 == "replay" else own.detach()
        return JointObjective(self.critic, seen.state, own, level0, steps, self.args)


class JointObjective(PolicyObjective):
    """J_i = Q(s, own_i, others_-i). The mean over agents, as FACMAC's MADDPG takes it.

    At level 1 the others do what `own` says: one joint action, whose gradient has all agents'.
    """

    def __init__(
        self,
        critic: Any,
        states: Tensor,
        own: Tensor,
        level0: Tensor,
        steps: Steps,
        args: SimpleNamespace,
    ) -> None:
        super().__init__(own, level0, steps, args)
        self._critic, self._states = critic, states

    def reward_entropy(self, entropy: Tensor) -> None:
        super().reward_entropy(entropy / entropy.shape[2])

    def base(self) -> Tensor:
        if self._args.k_maddpg_level0 == "replay":
            return self.against(self._level0)
        return self._mean_loss(by_agent(self._value_of, self.own))

    def against(self, others: Tensor) -> Tensor:
        return self._mean_loss(self._critic.counterfactual(self._states, self.own, others))

    def _value_of(self, joint: Tensor) -> Tensor:
        """(B, T, N, A) -> (B, T, 1)"""
        return self._critic(self._states, joint)[0]

    def _mean_loss(self, values: Tensor) -> Tensor:
        """values (B, T, N)"""
        return self.loss_of(values / values.shape[2])
