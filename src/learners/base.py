"""What every learner does alike: optimising, following targets, logging, saving."""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from types import SimpleNamespace
from typing import ClassVar

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from components.episode_buffer import EpisodeBatch
from components.scheme import Scheme
from controllers.contract import MAC
from learners.contract import Statistics
from learners.demands import require_settings
from learners.divergence import require_finite, require_finite_norm
from learners.optim import take_step
from learners.state import SavedState
from modules.contract import Network
from modules.kernels import of_new_layers
from policies.contract import Policy
from pymarl.mixers import build_mixer, mixer_of
from pymarl.policies import policy_of
from utils.logging import Logger
from utils.needs import Given, Needs, require

OF_ALL = {
    *("gamma", "lr", "grad_norm_clip", "learner_log_interval", "weight_decay"),
    *("optimizer", "optim_alpha", "optim_eps", "optimizer_epsilon"),
    *("target_update_mode", "target_update_interval", "target_update_tau"),
}


class Learner(SavedState):
    """PyMARL's learner interface; subclasses declare what must survive a resume."""

    stateful: ClassVar[tuple[str, ...]] = (
        "policy.agent",
        "target_policy.agent",
        "mixer",
        "target_mixer",
    )
    numbers: ClassVar[tuple[str, ...]] = ("log_stats_t", "last_target_update", "largest_norm")
    needs = Needs(uses=frozenset(OF_ALL))
    reads = "outputs"  # of a policy: see `policy_of`

    def __init__(self, mac: MAC, scheme: Scheme, logger: Logger, args: SimpleNamespace) -> None:
        require_settings(type(self), args)
        require(type(self), Given(vars(args)))  # where no configuration of ours was loaded, here
        self.args, self.mac, self.logger, self.scheme = args, mac, logger, scheme
        self.round_up = of_new_layers().products.rounded_up  # numbers of steps
        self.policy: Policy = policy_of(mac, self.reads)
        self.target_policy = copy.deepcopy(self.policy)
        self.mixer = build_mixer(args)
        self.target_mixer = copy.deepcopy(self.mixer)
        self.mixing, self.target_mixing = mixer_of(self.mixer), mixer_of(self.target_mixer)
        self.log_stats_t = -args.learner_log_interval - 1  # the first update logs
        self.last_target_update = 0
        self.largest_norm = torch.zeros(())  # of a gradient so far; NaN if one was

    def train(self, batch: EpisodeBatch, t_env: int, episode_num: int) -> None:
        """One update from a batch that is cut to its longest episode and on `args.device`."""
        raise NotImplementedError

    # Optimising

    def step(self, loss: Tensor, optimiser: Optimizer, params: Sequence[nn.Parameter]) -> Tensor:
        """One clipped gradient step; returns the norm before clipping."""
        gradients = torch.autograd.grad(loss, params, allow_unused=True)
        norm = take_step(optimiser, params, gradients, self.args.grad_norm_clip)
        self.note_norm(norm)
        return norm

    def note_norm(self, norm: Tensor) -> None:
        """Remember the norm of a step's gradient, without waiting for it: see `divergence.py`."""
        norm = norm.detach()
        self.largest_norm = torch.maximum(self.largest_norm.to(norm), norm)  # NaN if one is NaN

    def require_sound(self) -> None:
        require_finite_norm(self.largest_norm)
        require_finite(self.weights(), self.optimisers())

    # Targets

    def networks_and_targets(self) -> list[tuple[Network, Network]]:
        """Pairs that the target update copies."""
        pairs: list[tuple[Network, Network]] = [(self.policy.agent, self.target_policy.agent)]
        if self.mixer is not None and self.target_mixer is not None:
            pairs.append((self.mixer, self.target_mixer))
        return pairs

    def update_targets(self, clock: int) -> None:
        """`hard`: copy every `target_update_interval` ticks of `clock`. `soft`: move by tau."""
        args = self.args
        if args.target_update_mode == "hard":
            if clock - self.last_target_update < args.target_update_interval:
                return
            self.last_target_update = clock
        tau = 1.0 if args.target_update_mode == "hard" else args.target_update_tau
        with torch.no_grad():
            for network, target in self.networks_and_targets():
                follow(network, target, tau)

    # Logging

    def log_due(self, t_env: int) -> bool:
        return t_env - self.log_stats_t >= self.args.learner_log_interval

    def log_if_due(self, t_env: int, statistics: Callable[[], Statistics]) -> None:
        """Log at `learner_log_interval`; in between nothing is computed or waited for."""
        if self.log_due(t_env):
            self.log(t_env, statistics)

    def log(self, t_env: int, statistics: Callable[[], Statistics]) -> None:
        self.require_sound()
        self.log_stats_t = t_env
        for key, value in statistics().items():
            number = value.detach() if isinstance(value, Tensor) else value
            self.logger.log_stat(key, float(number), t_env)

    def cuda(self) -> None:
        self.mac.cuda()
        self.target_policy.agent.cuda()
        for network, target in self.networks_and_targets():
            network.cuda()
            target.cuda()


def follow(network: Network, target: Network, tau: float) -> None:
    """target += tau (network - target); tau 1 copies exactly."""
    if tau == 1.0:
        target.load_state_dict(network.state_dict())
        return
    online: list[Tensor] = list(network.parameters())
    slow: list[Tensor] = list(target.parameters())
    if slow:  # a sum has none
        torch._foreach_lerp_(slow, online, tau)
