"""IQL, VDN and QMIX: Q-learning on a mixture of the agents' utilities."""

from __future__ import annotations

from types import SimpleNamespace

import torch
from torch import Tensor

from components.discrete_head import mask_unavailable
from components.episode_buffer import EpisodeBatch
from components.minibatch import Minibatch
from components.scheme import Scheme
from controllers.contract import MAC
from learners.base import Learner
from learners.contract import Statistics
from learners.demands import value_agents
from learners.optim import build_optimiser
from learners.returns import td_targets
from learners.state import Stateful
from modules.contract import Mixer
from utils.logging import Logger


class QLearner(Learner):
    """Minimises sum m (Q_tot(s, a) - r - gamma (1 - end) Q_tot'(s', argmax Q))^2 / sum m.

    No mixer makes this IQL: each agent fits the team reward with its own utility.
    """

    needs = Learner.needs.also(demands=(value_agents,), uses={"mixer", "double_q", "td_lambda"})
    stateful = ("optimiser",)

    def __init__(self, mac: MAC, scheme: Scheme, logger: Logger, args: SimpleNamespace) -> None:
        super().__init__(mac, scheme, logger, args)
        self.params = list(mac.parameters())
        if self.mixer is not None:
            self.params += list(self.mixer.parameters())
        self.optimiser = build_optimiser(args.optimizer, self.params, args.lr, args)

    def train(self, batch: EpisodeBatch, t_env: int, episode_num: int) -> None:
        minibatch = Minibatch(batch, round_up=self.round_up)
        now, next = minibatch.now, minibatch.next
        views = self.policy.views(minibatch)
        outputs, later_outputs = self.policy.both_outputs(views)  # (1, n, N, A)
        utilities = self.utilities_of(outputs, minibatch.actions)  # (1, n, N)
        taken = mixed(self.mixing, utilities, now.state)
        with torch.no_grad():
            slow = self.target_policy.outputs(views.next)  # (1, n, N, A)
            best = self.utilities_at_best(slow, later_outputs, next.avail)
            following = mixed(self.target_mixing, best, next.state)
            targets = td_targets(minibatch, following, self.args.gamma, self.args.td_lambda)

        mask = minibatch.mask.expand_as(taken)
        td_error = (taken - targets) * mask
        loss = td_error.square().sum() / mask.sum()
        grad_norm = self.step(loss, self.optimiser, self.params)
        self.update_targets(episode_num)

        def statistics() -> Statistics:
            count = mask.sum()
            return {
                "loss": loss.detach(),
                "grad_norm": grad_norm,
                "td_error_abs": td_error.abs().sum() / count,
                # Divided by the number of agents as PyMARL does, so that old plots compare.
                "q_taken_mean": (taken * mask).sum() / (count * self.args.n_agents),
                "target_mean": (targets * mask).sum() / (count * self.args.n_agents),
            }

        self.log_if_due(t_env, statistics)

    # What depends on the kind of action

    def utilities_of(self, outputs: Tensor, actions: Tensor) -> Tensor:
        """Of stored actions. (1, n, N, A) -> (1, n, N)"""
        return outputs.gather(3, actions).squeeze(3)

    def utilities_at_best(self, slow: Tensor, online: Tensor, avail: Tensor) -> Tensor:
        """The target networks' values of the greedy actions. (1, n, N, A) -> (1, n, N)"""
        choosing = online if self.args.double_q else slow
        best = mask_unavailable(choosing, avail).argmax(dim=3, keepdim=True)
        return slow.gather(3, best).squeeze(3)

    def files(self) -> dict[str, Stateful]:
        return {**super().files(), "opt.th": self.optimiser}


def mixed(mixer: Mixer | None, utilities: Tensor, states: Tensor) -> Tensor:
    """(1, n, N) -> (1, n, 1); without a mixer unchanged."""
    return utilities if mixer is None else mixer(utilities, states)
