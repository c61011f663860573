"""What all learners with a policy and a critic have: a head, both networks, an optimiser each."""

from __future__ import annotations

import copy
from collections.abc import Iterable
from types import SimpleNamespace
from typing import ClassVar

from torch import nn
from torch.optim import Optimizer

from components.action_heads import ActionHead
from components.scheme import Scheme
from controllers.contract import MAC
from learners.base import Learner
from learners.objective import ActorStep, Objective, Respond, about_levels
from learners.optim import build_optimiser
from learners.state import Stateful
from modules.contract import Network
from policies.contract import Policy
from utils.logging import Logger


class PolicyLearner(Learner):
    """Subclasses define what the critic is, and what actors and critic learn from."""

    needs = Learner.needs.also(uses={"critic_lr", "actor_optimizer"})
    stateful: ClassVar[tuple[str, ...]] = (
        "critic",
        "target_critic",
        "agent_optimiser",
        "critic_optimiser",
    )
    numbers: ClassVar[tuple[str, ...]] = ("critic_training_steps",)
    draws_actions = False  # to learn from them: `step_actors` may choose how
    default_actor_optimizer: str | None = None  # None: as `optimizer`

    def __init__(self, mac: MAC, scheme: Scheme, logger: Logger, args: SimpleNamespace) -> None:
        super().__init__(mac, scheme, logger, args)
        self.head: ActionHead = self.policy.head
        self.critic = self.build_critic(scheme, args)
        self.target_critic = copy.deepcopy(self.critic)
        self.agent_params = list(mac.parameters())
        self.agent_optimiser = self.make_agent_optimiser(self.agent_params)
        self.critic_params = list(self.critic.parameters())
        if self.mixer is not None:
            self.critic_params += list(self.mixer.parameters())
        self.critic_optimiser = self.make_critic_optimiser()
        self.critic_training_steps = 0

    def build_critic(self, scheme: Scheme, args: SimpleNamespace) -> Network:
        raise NotImplementedError

    @property
    def critic_lr(self) -> float:
        rate: float = self.args.lr if self.args.critic_lr is None else self.args.critic_lr
        return rate

    def make_agent_optimiser(self, params: Iterable[nn.Parameter]) -> Optimizer:
        args = self.args
        name = args.actor_optimizer or self.default_actor_optimizer or args.optimizer
        return build_optimiser(name, params, args.lr, args)

    def make_critic_optimiser(self) -> Optimizer:
        """Where one network acts and judges, `agent_optimiser` itself: one step serves both."""
        return build_optimiser(self.args.optimizer, self.critic_params, self.critic_lr, self.args)

    def step_actors(
        self, objective: Objective, respond: Respond[Policy], t_env: int, diagnose: bool
    ) -> ActorStep:
        """One step of the actors; `respond` is for those who care what the others will do."""
        loss = objective.base()
        grad_norm = self.step(loss, self.agent_optimiser, self.agent_params)
        found = objective.diagnostics(None) if diagnose else {}
        return ActorStep(loss.detach(), grad_norm, about_levels(found))

    # Devices and files

    def networks_and_targets(self) -> list[tuple[Network, Network]]:
        return [*super().networks_and_targets(), (self.critic, self.target_critic)]

    def files(self) -> dict[str, Stateful]:
        return {
            **super().files(),
            "critic.th": self.critic,
            "agent_opt.th": self.agent_optimiser,
            "critic_opt.th": self.critic_optimiser,
        }
