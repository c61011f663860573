"""Critics V_i of on-policy learners: from the state (MAPPO), or from own observations (IPPO)."""

from __future__ import annotations

from types import SimpleNamespace

import torch
from torch import Tensor, nn

from components.episode_batch import EpisodeBatch
from components.parts import previous_actions
from components.scheme import Scheme
from modules.critics.per_agent import SeparateMLPs, SharedMLP
from modules.sizes import action_size, flat_size
from utils.needs import Needs


class ValueCritic(nn.Module):
    """Subclasses define its inputs, which learners make once and evaluate often."""

    needs = Needs(uses=frozenset({"critic_hidden_dim"}))
    networks: type[nn.Module] = SharedMLP

    def __init__(self, scheme: Scheme, args: SimpleNamespace) -> None:
        super().__init__()
        self.args = args
        size = self.input_size(scheme, args)
        self.net = self.networks(size, args.critic_hidden_dim, 1, args.n_agents)

    def input_size(self, scheme: Scheme, args: SimpleNamespace) -> int:
        raise NotImplementedError

    def inputs(self, batch: EpisodeBatch) -> Tensor:
        """(B, T, 1, F) if all agents see the same, else (B, T, N, F)."""
        raise NotImplementedError

    def values_of(self, inputs: Tensor) -> Tensor:
        """(..., 1 or N, F) -> (..., N)"""
        return self.net(inputs).squeeze(-1)

    def forward(self, batch: EpisodeBatch, t: int | None = None) -> Tensor:
        """As EPyMARL's learners call it: (B, T, N, 1), or with `t` that slot alone."""
        inputs = self.inputs(batch)
        return self.net(inputs if t is None else inputs[:, t : t + 1])


class CentralCritic(ValueCritic):
    """The state; with `obs_individual_obs` all observations, with `obs_last_action` all last
    actions."""

    needs = ValueCritic.needs.also(uses={"obs_individual_obs"})

    def input_size(self, scheme: Scheme, args: SimpleNamespace) -> int:
        size = flat_size(scheme["state"]["vshape"])
        if args.obs_individual_obs:
            size += args.n_agents * flat_size(scheme["obs"]["vshape"])
        if args.obs_last_action:
            size += args.n_agents * action_size(scheme, args)
        return size

    def inputs(self, batch: EpisodeBatch) -> Tensor:
        parts = [batch["state"]]
        if self.args.obs_individual_obs:
            parts.append(batch["obs"].flatten(2))
        if self.args.obs_last_action:
            parts.append(last_actions(batch))
        return torch.cat(parts, dim=2).unsqueeze(2)  # (B, T, 1, F)


class LocalCritic(ValueCritic):
    """The agent's own observation."""

    needs = ValueCritic.needs

    def input_size(self, scheme: Scheme, args: SimpleNamespace) -> int:
        return flat_size(scheme["obs"]["vshape"])

    def inputs(self, batch: EpisodeBatch) -> Tensor:
        return batch["obs"]


class SeparateCentralCritic(CentralCritic):
    """A network for each agent."""

    needs = CentralCritic.needs
    networks = SeparateMLPs


class SeparateLocalCritic(LocalCritic):
    """A network for each agent."""

    needs = LocalCritic.needs
    networks = SeparateMLPs


def last_actions(batch: EpisodeBatch) -> Tensor:
    """Everybody's, one slot before each. (B, T, N*A)"""
    return previous_actions(batch, batch.max_seq_length).flatten(2)
