"""COMA's critic: values of all of one agent's actions, given what the others did."""

from __future__ import annotations

from types import SimpleNamespace

import torch
from torch import Tensor, nn

from components.episode_batch import EpisodeBatch
from components.scheme import Scheme
from modules.critics.per_agent import SeparateMLPs, SharedMLP
from modules.critics.values import last_actions
from modules.sizes import action_size, flat_size
from utils.errors import UserError
from utils.needs import CONTINUOUS, Given, Needs, require


def countable_actions(critic: type, given: Given) -> None:
    if given.action_kind == CONTINUOUS:
        raise UserError(
            f"COMA's critic counts actions, and those of env={given['env']} are continuous. "
            "Type --config=mappo."
        )


class COMACritic(nn.Module):
    """Q(s, o_i, (a_-i, .)): state, own observation unless `obs_individual_obs` is False, the
    others' actions, and with `obs_last_action` everybody's last ones."""

    needs = Needs(
        demands=(countable_actions,), uses=frozenset({"critic_hidden_dim", "obs_individual_obs"})
    )
    networks: type[nn.Module] = SharedMLP

    def __init__(self, scheme: Scheme, args: SimpleNamespace) -> None:
        super().__init__()
        require(type(self), Given(vars(args)))
        self.args = args
        self.sees_obs = args.obs_individual_obs is not False
        n_joint = args.n_agents * action_size(scheme, args)
        size = flat_size(scheme["state"]["vshape"]) + n_joint
        size += flat_size(scheme["obs"]["vshape"]) if self.sees_obs else 0
        size += n_joint if args.obs_last_action else 0
        self.net = self.networks(size, args.critic_hidden_dim, args.n_actions, args.n_agents)

    def inputs(self, batch: EpisodeBatch) -> Tensor:
        """(B, T, N, F)"""
        N = self.args.n_agents
        parts = [for_each_agent(batch["state"], N)]
        if self.sees_obs:
            parts.append(batch["obs"])
        parts.append(others_actions(batch["actions_onehot"]))
        if self.args.obs_last_action:
            parts.append(for_each_agent(last_actions(batch), N))
        return torch.cat(parts, dim=3)

    def values_of(self, inputs: Tensor) -> Tensor:
        """(..., N, F) -> (..., N, A)"""
        return self.net(inputs)

    def forward(self, batch: EpisodeBatch, t: int | None = None) -> Tensor:
        """As PyMARL's learner calls it: (B, T, N, A), or with `t` that slot alone."""
        inputs = self.inputs(batch)
        return self.net(inputs if t is None else inputs[:, t : t + 1])


class SeparateCOMACritic(COMACritic):
    """A network for each agent."""

    needs = COMACritic.needs
    networks = SeparateMLPs


def for_each_agent(values: Tensor, n_agents: int) -> Tensor:
    """(B, T, F) -> (B, T, N, F)"""
    return values.unsqueeze(2).expand(-1, -1, n_agents, -1)


def others_actions(one_hots: Tensor) -> Tensor:
    """Everybody's action with one's own left out. (B, T, N, A) -> (B, T, N, N*A)"""
    N = one_hots.shape[2]
    is_other = 1 - torch.eye(N, dtype=one_hots.dtype, device=one_hots.device)  # (N, N)
    return (one_hots.unsqueeze(2) * is_other[:, :, None]).flatten(3)
